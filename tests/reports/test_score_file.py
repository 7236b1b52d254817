"""Scores come back from disk as they were, or not at all."""

import dataclasses
import os

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file
from score_cases import layout, scores

from kdlib import files
from kdlib.reports import score_file
from kdlib.reports.score_file import read_scores, scores_path, write_scores

MADE_OF = {"text": "t" * 64, "teacher": "1", "student": "2", "seed_1/student": "3", "ngram": "True"}


@pytest.fixture
def written(tmp_path):
    """A whole set of scores, of two tokenizers and two seeds, and its file."""
    generator = np.random.default_rng(2)
    losses = {name: generator.random(12).astype(np.float32) for name in ("seed_1/student", "ngram")}
    whole = dataclasses.replace(
        scores(layout(), layout((2, 9, 5), block=3, first_token=40)), losses=losses
    )
    path = tmp_path / "scores.safetensors"
    write_scores(path, whole, MADE_OF)
    return whole, path


def arrays(whole):
    """Every array of some scores, by its place."""
    parts = {"layout": whole.layout, "teachers": whole.teachers_layout, **whole.models}
    found = {(name, key): a for name, part in parts.items() for key, a in part._asdict().items()}
    return found | {("losses", name): array for name, array in whole.losses.items()}


def test_they_come_back_bit_for_bit(written):
    whole, path = written
    back = read_scores(path, MADE_OF)
    assert back.text_bytes == 321 and list(back.models) and set(back.losses) == set(whole.losses)
    expected, found = arrays(whole), arrays(back)
    assert expected.keys() == found.keys()
    for place, array in expected.items():
        assert found[place].dtype == array.dtype, place
        assert found[place].tobytes() == array.tobytes(), place


def test_whoever_asks_for_nothing_in_particular_gets_them(written):
    assert read_scores(written[1]) is not None


@pytest.mark.parametrize(
    "changes",
    [{"text": "u" * 64}, {"student": "other"}, {"ngram": "False"}, {"control_patient": "4"}],
)
def test_scores_of_something_else_are_measured_again(written, changes):
    assert read_scores(written[1], MADE_OF | changes) is None


def test_scores_of_more_than_is_asked_for_are_of_something_else(written):
    fewer = {name: made for name, made in MADE_OF.items() if name != "seed_1/student"}
    assert read_scores(written[1], fewer) is None


def test_without_a_file_there_are_none(tmp_path):
    assert read_scores(tmp_path / "nothing.safetensors") is None


def test_another_format_is_measured_again(written, monkeypatch):
    monkeypatch.setattr(score_file, "FORMAT", "kdlib-scores-next")
    assert read_scores(written[1], MADE_OF) is None


def test_a_file_of_somebody_elses_is_measured_again(tmp_path):
    path = tmp_path / "scores.safetensors"
    save_file({"weights": np.zeros(3)}, path)
    assert read_scores(path, MADE_OF) is None


def test_a_flipped_bit_anywhere_is_noticed(written):
    """In names and metadata, where it could end in any error, and in numbers, which have none."""
    _, path = written
    content = path.read_bytes()
    for place in range(len(content)):
        damaged = bytearray(content)
        damaged[place] ^= 1 << place % 8
        path.write_bytes(damaged)
        for made_of in (MADE_OF, None):
            assert read_scores(path, made_of) is None, (place, content[place - 20 : place + 20])


@pytest.mark.parametrize("kept", [0, 7, 0.3, 0.99])
def test_a_torn_file_is_noticed(written, kept):
    _, path = written
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content)) if isinstance(kept, float) else kept])
    assert read_scores(path, MADE_OF) is None


def test_a_text_has_a_file_of_its_own(tmp_path):
    paths = {scores_path(tmp_path, letter * 64) for letter in "abc"}
    assert len(paths) == 3 and all(path.parent == tmp_path for path in paths)


def test_a_write_that_fails_leaves_the_old_file(written, monkeypatch):
    _, path = written
    before = path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        write_scores(path, scores(), MADE_OF)
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name], "and no draft"


def test_sums_are_those_of_each_models_own_layout(written):
    whole, _ = written
    assert whole.tokens == 12 and whole.unit_tokens.tolist() == [5, 3, 4]
    slices = {"student": (0, 5, 8, 12), "teacher": (0, 2, 11, 16)}
    for name, ends in slices.items():
        nll = whole.models[name].nll.astype(np.float64)
        expected = [nll[a:b].sum() for a, b in zip(ends, ends[1:])]
        assert whole.unit_losses(name) == pytest.approx(expected, abs=1e-12)
    counted = whole.losses["ngram"].astype(np.float64)
    assert whole.unit_losses("ngram")[1] == pytest.approx(counted[5:8].sum(), abs=1e-12)


def test_everything_in_the_file_can_be_read_by_others(written):
    """Names that say what they are, in a format that many programs read."""
    with safe_open(written[1], framework="np") as file:
        names = set(file.keys())
    assert {"layout.token", "student.nll", "seed_1/student.nll", "ngram.nll"} <= names
