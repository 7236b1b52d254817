"""Training for the challenge: the same as a run's own, resumable, and without a look at the test."""

import dataclasses
import json

import numpy as np
import pytest
from little_challenge import with_training

from kdlib.challenge import acceptance, running
from kdlib.challenge.acceptance import accept
from kdlib.challenge.entry import Entry, read_entry, write_record
from kdlib.challenge.running import open_attempt, open_single, record_of, train
from kdlib.errors import UserError
from kdlib.jobs.pipeline import distill
from kdlib.jobs.recipe import Controls
from kdlib.jobs.recipe_files import recipe_to_toml
from kdlib.models.folders import load_model
from kdlib.training.phase import Interrupted


@pytest.fixture(scope="module")
def finished(little, tmp_path_factory):
    """A finished run of the little challenge: the attempt and its losses."""
    challenge, recipe = little
    folder = tmp_path_factory.mktemp("finished") / "little"
    attempt = open_attempt(challenge, recipe, folder, "little")
    return attempt, train(attempt)


def weights(folder):
    return load_model(folder).state_dict()


def test_the_students_are_those_of_an_ordinary_run(finished, tmp_path):
    attempt, _ = finished
    recipe = dataclasses.replace(
        attempt.recipe, controls=Controls(equal_steps=True, equal_compute=False)
    )
    distill(recipe, tmp_path / "run")
    for name in ("student", "seed_101/student", "seed_102/student"):
        mine, theirs = weights(attempt.folder / name), weights(tmp_path / "run" / name)
        assert all(mine[key].equal(theirs[key]) for key in theirs), name


def test_a_loss_is_the_one_of_each_training_on_each_document(finished):
    attempt, nats = finished
    record = record_of(attempt, nats)
    assert np.array(record["nats"]).shape == (3, len(record["documents"]))
    assert sum(record["tokens"]) == attempt.classroom.validation.predicted_tokens
    # By other means: transformers' own loss, block by block.
    blocks, model = (
        attempt.classroom.validation,
        load_model(attempt.folder / "seed_101" / "student"),
    )
    labels = blocks.ids.masked_fill(blocks.mask == 0, -100)
    loss = model(input_ids=blocks.ids, labels=labels).loss.item()
    assert nats[1].sum() / blocks.predicted_tokens == pytest.approx(loss, rel=1e-4)


def test_a_call_that_was_stopped_goes_on(little, finished, tmp_path, monkeypatch):
    challenge, recipe = little
    folder = tmp_path / "little"
    trained = []

    def stopping(classroom, learner):
        if len(trained) == 1:
            raise Interrupted("stopped")
        trained.append(learner.name)
        original(classroom, learner)

    original = running._train
    monkeypatch.setattr(running, "_train", stopping)
    with pytest.raises(Interrupted):
        train(open_attempt(challenge, recipe, folder, "little"))
    monkeypatch.setattr(
        running, "_train", lambda room, who: trained.append(who.name) or original(room, who)
    )
    nats = train(open_attempt(challenge, recipe, folder, "little"))
    assert trained == ["student", "seed_101/student", "seed_102/student"]
    assert np.array_equal(nats, finished[1])


def test_a_run_of_another_recipe_is_not_gone_on_with(little, finished):
    challenge, recipe = little
    other = with_training(recipe, learning_rate=1e-4)
    with pytest.raises(UserError, match="was begun with another student.training.learning_rate"):
        train(open_attempt(challenge, other, finished[0].folder, "little"))


def test_a_single_training_has_a_seed_of_its_own(little, tmp_path):
    challenge, recipe = little
    attempt = open_single(challenge, recipe, tmp_path / "once", "once")
    assert train(attempt).shape[0] == 1
    assert attempt.recipe.seed == 0


def test_no_test_number_is_stored(finished):
    """Only what is accepted is measured on the test; nothing in the folder is made from it."""
    attempt, nats = finished
    assert record_of(attempt, nats)["test"] is None
    assert not list(attempt.folder.glob("scores_*")) and not list(attempt.folder.glob("report*"))


def test_the_test_documents_are_not_scored_before_acceptance(little, tmp_path, monkeypatch):
    challenge, recipe = little
    attempt = open_attempt(challenge, recipe, tmp_path / "little", "little")
    scored = []
    original = running.score_text
    monkeypatch.setattr(
        running,
        "score_text",
        lambda name, model, blocks, on: scored.append(blocks) or original(name, model, blocks, on),
    )
    train(attempt)
    assert all(blocks is attempt.classroom.validation for blocks in scored)
    assert len(scored) == 3


# ---------------------------------------------------------------- accepting


@pytest.fixture
def submitted(finished, tmp_path):
    """A submitted entry: recipe and record side by side; the record's path."""
    attempt, nats = finished
    path = tmp_path / "little.toml"
    path.write_text("# A little one.\n" + recipe_to_toml(attempt.recipe), "utf-8")
    write_record(path.with_suffix(".json"), record_of(attempt, nats))
    return path.with_suffix(".json")


def test_an_accepted_entry_has_a_test(little, finished, submitted):
    challenge, _ = little
    entry = read_entry(challenge, submitted.with_suffix(".toml"))
    assert (entry.test, entry.idea) == (None, "A little one.")
    accept(finished[0], entry, submitted)
    accepted = read_entry(challenge, submitted.with_suffix(".toml"))
    blocks = finished[0].classroom.context.models.blocks(
        finished[0].classroom.context.text.test, finished[0].classroom.tokenizer
    )
    model = load_model(finished[0].folder / "student")
    labels = blocks.ids.masked_fill(blocks.mask == 0, -100)
    loss = model(input_ids=blocks.ids, labels=labels).loss.item()
    assert accepted.record["test"]["nats_per_token"][0] == pytest.approx(loss, abs=2e-4)
    with pytest.raises(UserError, match="accepted already"):
        accept(finished[0], accepted, submitted)


def test_an_entry_that_comes_out_otherwise_is_not_accepted(
    little, finished, submitted, monkeypatch
):
    challenge, _ = little
    entry = read_entry(challenge, submitted.with_suffix(".toml"))
    monkeypatch.setattr(acceptance, "_test", lambda attempt: pytest.fail("the test was read"))
    better = Entry(*entry[:3], entry.record | {"validation": entry.validation - 0.04})
    before = submitted.read_text()
    with pytest.raises(UserError, match="trained here"):
        accept(finished[0], better, submitted)
    assert submitted.read_text() == before
    assert json.loads(before)["test"] is None
