"""Lines that a notebook's checks wrote, or that its code forged, and what they come to."""

import json
import math
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
import torch

from kdlib.exercises import exercise, exercises
from kdlib.exercises.judging.handed_in import LONGEST, handed_in, read_back
from kdlib.exercises.kinds.base import VERDICT_FILE
from kdlib.exercises.notebooks.judgements import AGAIN, KEYS, judgement, read_lines

JUDGED_AGAIN = [e for e in exercises().values() if e.kind in AGAIN]


@pytest.fixture
def lines_of(monkeypatch, tmp_path):
    """The lines that checks write while a notebook is graded."""

    def lines(*checks):
        path = tmp_path / "verdicts.jsonl"
        path.write_text("")
        monkeypatch.setenv(VERDICT_FILE, str(path))
        for id, *answer in checks:
            exercise(id).check(*answer)
        return path.read_text()

    return lines


def judged(text, id):
    return judgement(id, read_lines(text).by_exercise.get(id, []))


def test_lines_that_are_no_verdict_are_counted_and_passed_by():
    good = {"exercise": "soften", "outcome": "correct", "seen": "", "expected": "", "note": ""}
    whole = json.dumps(good)
    odd = [
        "x", whole[:30], "[]", "7", "null", '"soften"', "{}", '{"exercise": 7, "outcome": "correct"}',
        '{"exercise": ["soften"], "outcome": "correct"}', '{"exercise": "soften"}',
        '{"exercise": "soften", "outcome": "splendid"}', json.dumps(good | {"note": 7}),
        "[" * 100_000, "\x00", json.dumps(good | {"outcome": None}),
    ]  # fmt: skip
    lines = read_lines("\n".join([whole, "", *odd, whole]))
    assert lines.unreadable == len(odd)
    assert lines.by_exercise == {"soften": [good, good]}
    assert read_lines("").unreadable == 0


def test_all_entries_have_the_same_keys(lines_of):
    text = lines_of(
        ("soften", torch.softmax),
        ("soften", lambda z, t: torch.softmax(z / t, -1)),
        ("what-is-trained", "a"),
        ("why-two-models", "word " * 20),
    )
    for id in exercises():
        entry, odd = judged(text, id)
        assert tuple(sorted(entry)) == tuple(sorted(KEYS)) and odd == []
    assert judged(text, "soften")[0]["checks"] == 2
    assert judged(text, "push")[0] | {"checks": 0} == judged(text, "push")[0]
    written = judged(text, "why-two-models")[0]
    assert written["outcome"] == "to be marked" and written["answer"].startswith("word")
    assert written["points"]["of"] == len(exercise("why-two-models").rubric)


@pytest.mark.parametrize("e", JUDGED_AGAIN, ids=lambda e: e.id)
def test_an_answer_is_judged_again_as_it_was(lines_of, e):
    answers = [*e.right_answers(), *(wrong.example for wrong in e.wrongs), e.stub_answer]
    for answer in answers:
        text = lines_of((e.id, answer))
        entry, odd = judged(text, e.id)
        first = json.loads(text)
        assert odd == []
        for key in ("outcome", "misconception", "seen", "expected"):
            assert entry[key] == first[key], (answer, key)


@pytest.mark.parametrize("e", JUDGED_AGAIN, ids=lambda e: e.id)
def test_a_forged_line_does_not_stand(e):
    forged = {"exercise": e.id, "outcome": "correct", "seen": "", "expected": "", "note": ""}
    entry, (odd,) = judgement(e.id, [forged])
    assert entry["outcome"] == "error" and "could not be judged again" in odd
    wrong = handed_in(e.wrongs[0].example)
    entry, (odd,) = judgement(e.id, [forged | wrong])
    assert entry["outcome"] == "wrong" and 'says "correct", its answer is "wrong"' in odd
    assert entry["misconception"] == e.wrongs[0].misconception


def test_a_replaced_judge_does_not_stand(lines_of, monkeypatch):
    e = exercise("what-is-trained")
    with monkeypatch.context() as patch:
        patch.setattr(
            type(e), "judge", lambda self, answer: self.untouched().__class__(self.id, "correct")
        )
        text = lines_of((e.id, "a" if e.letter != "a" else "b"))
    assert json.loads(text)["outcome"] == "correct"
    entry, odd = judged(text, e.id)
    assert entry["outcome"] == "wrong" and len(odd) == 1


@pytest.mark.parametrize("kind", ["written", "code"])
def test_an_outcome_of_another_kind_does_not_stand(kind):
    e = next(e for e in exercises().values() if e.kind == kind)
    forged = {"exercise": e.id, "outcome": "correct" if kind == "written" else "self-marked"}
    entry, odd = judgement(e.id, [forged])
    assert entry["outcome"] == "error" and len(odd) == 1


def test_points_that_cannot_be_are_left_out():
    for points in (
        7,
        {"made": 5, "of": 3},
        {"made": -1, "of": 3},
        {"made": True, "of": 3},
        {"made": "3"},
    ):
        line = {"exercise": "why-two-models", "outcome": "self-marked", "points": points}
        assert judgement("why-two-models", [line])[0]["points"] is None


def test_options_that_are_tried_one_by_one_are_flagged(lines_of):
    letters = [("what-is-trained", letter) for letter in "abcd"]
    entry, (odd,) = judged(lines_of(*letters), "what-is-trained")
    assert entry["checks"] == 4 and "4 different answers" in odd
    entry, odd = judged(lines_of(*letters[:1] * 4), "what-is-trained")
    assert entry["checks"] == 4 and odd == []


def test_a_note_is_kept_and_the_explanation_is_not_repeated(lines_of):
    def soften(z, t):
        return torch.softmax(z.div_(t), -1)

    entry, _ = judged(lines_of(("soften", soften)), "soften")
    assert entry["outcome"] == "correct" and "in place" in entry["note"]
    explained = [e for e in exercises().values() if e.explanation and e.kind != "written"]
    for e in explained[:3]:
        text = lines_of((e.id, e.right_answers()[0]))
        assert e.explanation in json.loads(text)["note"] and judged(text, e.id)[0]["note"] == ""


def test_an_answer_that_breaks_its_judge_is_an_error(monkeypatch):
    def broken(self, answer):
        raise ZeroDivisionError

    monkeypatch.setattr(type(exercise("what-is-trained")), "judge", broken)
    line = {"exercise": "what-is-trained", "outcome": "correct", "given": "a"}
    entry, odd = judgement("what-is-trained", [line])
    assert entry["outcome"] == "error" and "ZeroDivisionError" in odd[0]


# ---------------------------------------------------------------- answers as JSON


@pytest.mark.parametrize(
    ("answer", "given"),
    [
        ("b", "b"), (0.25, 0.25), (3, 3), (["a", ...], ["a", None]), (("a", "b"), ["a", "b"]),
        (Fraction(1, 3), "1/3"), (Decimal("0.5"), 0.5), (np.float64(0.5), 0.5),
        (torch.tensor([0.5]), [0.5]), (np.array(["a", "b"]), ["a", "b"]), ({1: "a", 2: ...}, {"1": "a", "2": None}),
    ],
)  # fmt: skip
def test_an_answer_is_written_so_that_it_can_be_read_back(answer, given):
    line = json.loads(json.dumps(handed_in(answer)))
    assert line == {"given": given}
    if isinstance(answer, dict):
        assert read_back(line["given"]) == {1: "a", 2: None}


def test_a_value_that_is_not_finite_is_read_back():
    line = json.loads(json.dumps(handed_in(math.inf)))
    assert line["given"] == math.inf
    assert judgement("times-smaller", [{"exercise": "times-smaller", "outcome": "wrong"} | line])


def test_what_is_no_json_is_not_written():
    loop = []
    loop.append(loop)
    for answer in (None, ..., lambda: 1, object(), 1j, {1, 2}, b"a", loop, "a" * LONGEST * 2):
        assert handed_in(answer) == {}


def test_a_text_that_equals_everything_is_written_as_what_it_is():
    class Chameleon(str):
        def __eq__(self, other):
            return True

        def __hash__(self):
            return 0

    assert json.dumps(handed_in(Chameleon("b"))) == '{"given": "b"}'
