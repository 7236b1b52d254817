"""Every model is run over a text once: a second look reads what the first has kept."""

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from little_runs import lasting, little, paragraphs, result, run, write_file

from kdlib.data.document import text_sha256
from kdlib.data.sources import open_source
from kdlib.errors import UserError
from kdlib.jobs import scoring
from kdlib.jobs.data_settings import Data
from kdlib.jobs.measure import measure_again, measure_on
from kdlib.models.folders import load_model
from kdlib.reports.score_file import read_scores, scores_path

pytestmark = pytest.mark.slow
RUN = Path("run")


@pytest.fixture
def other(workplace):
    """A text of another kind."""
    return write_file(workplace / "other.txt", paragraphs(40, seed=9))


@pytest.fixture
def scored(monkeypatch):
    """The names of the models that are run over a text, as they are."""
    names = []
    of_report, alone = scoring.score_models, scoring.score_text

    def score_models(models, *rest):
        names.extend(models)
        return of_report(models, *rest)

    def score_text(name, *rest):
        names.append(name)
        return alone(name, *rest)

    monkeypatch.setattr(scoring, "score_models", score_models)
    monkeypatch.setattr(scoring, "score_text", score_text)
    return names


EVERYBODY = [
    "teacher",
    "student",
    "control_equal_steps",
    "seed_1/student",
    "seed_1/control_equal_steps",
]


def scores_of_test():
    return scores_path(RUN, result(RUN)["data"]["test"]["sha256"])


def test_a_second_evaluation_runs_no_model(workplace, scored):
    before = result(RUN)
    measure_again(RUN)
    assert scored == []
    assert lasting(result(RUN)) == lasting(before)


def test_another_text_is_read_once(other, scored):
    report = (RUN / "report.json").read_bytes()
    first = measure_on(RUN, str(other))
    assert scored == EVERYBODY
    second = measure_on(RUN, str(other))
    assert scored == EVERYBODY
    assert lasting(first) == lasting(second)
    assert (RUN / "report.json").read_bytes() == report
    assert scores_path(RUN, text_sha256(open_source(str(other)).documents)).exists()


def test_the_runs_own_scores_stay_beside_those_of_another_text(other, scored):
    measure_on(RUN, str(other))
    scored.clear()
    measure_again(RUN)
    assert scored == []


def test_a_text_that_was_edited_is_another_text(other, scored):
    measure_on(RUN, str(other))
    other.write_text(other.read_text().replace("Number 7:", "Number 8:"))
    measure_on(RUN, str(other))
    assert scored == 2 * EVERYBODY


@pytest.mark.parametrize("model", ["student", "seed_1/student"])
def test_other_models_are_scored_anew(workplace, scored, model):
    """Here the control in the student's place."""
    other = RUN / model.replace("student", "control_equal_steps")
    shutil.copytree(other, RUN / model, dirs_exist_ok=True)
    measure_again(RUN)
    assert scored == EVERYBODY
    trainings = result(RUN)["trainings"][model != "student"]
    assert trainings["student"] == trainings["control_equal_steps"]


@pytest.mark.parametrize("damage", ["gone", "torn", "a bit flipped"])
def test_damaged_scores_are_made_again(workplace, scored, damage):
    before, path = result(RUN), scores_of_test()
    content = path.read_bytes()
    path.unlink()
    if damage == "torn":
        path.write_bytes(content[:-9])
    if damage == "a bit flipped":
        path.write_bytes(content[:-9] + bytes([content[-9] ^ 4]) + content[-8:])
    measure_again(RUN)
    assert scored == EVERYBODY
    assert lasting(result(RUN)) == lasting(before)
    scored.clear()
    measure_again(RUN)
    assert scored == []


def test_scores_without_ngrams_are_made_again_where_they_can_be_counted(other, scored):
    Path("book.txt").rename("elsewhere.txt")
    assert "ngram" not in measure_on(RUN, str(other))
    Path("elsewhere.txt").rename("book.txt")
    assert "ngram" in measure_on(RUN, str(other))
    assert scored == 2 * EVERYBODY


def test_the_scores_on_disk_are_those_of_the_models_in_the_folders(workplace):
    """Block by block, from the weights: the mean loss of each model, and of each training."""
    kept, report = read_scores(scores_of_test()), result(RUN)
    ids = torch.as_tensor(kept.layout.token).long()
    assert (kept.layout.unit, len(ids)) == ("block", report["data"]["test"]["tokens"])
    for name in EVERYBODY:
        losses = []
        model, first = load_model(RUN / name), load_model(RUN / name).config.eos_token_id
        for block in range(kept.layout.block.max() + 1):
            row = torch.cat([torch.tensor([first]), ids[kept.layout.block == block]])[None]
            with torch.no_grad():
                logits = model(input_ids=row).logits[0, :-1].double()
            losses += torch.nn.functional.cross_entropy(logits, row[0, 1:], reduction="none")
            first = int(row[0, -1])
        found = kept.losses[name] if name in kept.losses else kept.models[name].nll
        assert found == pytest.approx(torch.stack(losses).numpy(), abs=1e-5), name
        role, seed = name.split("/")[-1], name.startswith("seed_1")
        entry = report["trainings"][seed] | {"teacher": report["teacher"]["cross_entropy"]}
        assert entry[role] == pytest.approx(np.mean(losses), abs=1e-5), name


@pytest.mark.parametrize("missing", ["student", "control_equal_steps", "seed_1/student"])
@pytest.mark.parametrize("command", [measure_again, lambda run: measure_on(run, "book.txt")])
def test_a_run_that_is_not_finished_is_refused(workplace, missing, command):
    shutil.rmtree(RUN / missing)
    with pytest.raises(UserError) as refused:
        command(RUN)
    assert str(refused.value) == (
        f"run is not finished: it has no {missing} yet; go on with `kdlib distill --resume`"
    )


def test_twenty_tokens_of_test_text_still_give_a_report(tmp_path):
    """No bin of confidence has enough of them to be drawn."""
    book = write_file(tmp_path / "book.txt", paragraphs(13))
    data = Data(text=str(book), fraction=1, test_fraction=1, block=8, vocabulary=300)
    run(dataclasses.replace(little(book), data=data), tmp_path / "run")
    report = result(tmp_path / "run")
    assert report["data"]["test"]["tokens"] == 20
    assert report["student"]["calibration"]["confidence"] == [] and report["student"]["ece"] > 0
