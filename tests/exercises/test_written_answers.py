"""Answers in sentences: the reader marks them, and the program claims no more than it can see."""

import ast
import json
import re

import pytest
from written_examples import DIRECTION, TWO_MODELS

from kdlib.exercises import exercises, export_json, misconceptions, progress, progress_table
from kdlib.exercises.judging.rubric import Point
from kdlib.exercises.kinds.written import WrittenExercise, written

BOOK = [e for e in exercises().values() if isinstance(e, WrittenExercise)]
EVERY = [TWO_MODELS, DIRECTION, *BOOK]
WITHOUT = [(e, n) for e in EVERY for n, p in enumerate(e.rubric, start=1) if p.without]
GOOD = "The student has 31 million parameters, and the targets come from the teacher."


def named(e):
    return e.id if isinstance(e, WrittenExercise) else str(e)


def numbers(e):
    return list(range(1, len(e.rubric) + 1))


# ---------------------------------------------------------------- what holds for each of them


@pytest.mark.parametrize("e", EVERY, ids=named)
def test_the_model_answer_makes_every_point(e):
    verdict = e.check(e.model, ticked=numbers(e))
    assert verdict.outcome == "self-marked" and verdict.points == (len(e.rubric),) * 2
    assert verdict.misconception is None
    found = [mark.number for mark in verdict.marks if mark.by == "program"]
    assert found == [n for n, p in enumerate(e.rubric, start=1) if p.found is not None], (
        "the program does not find in the model answer what it looks for"
    )


@pytest.mark.parametrize("e", EVERY, ids=named)
def test_nothing_that_is_written_is_called_correct(e):
    verdicts = [e.check(e.model), e.check(e.model, ticked=numbers(e)), e.check(e.model, ticked=[])]
    assert not any(verdicts)
    assert {v.outcome for v in verdicts} <= {"self-marked", "to be marked"}
    assert all("correct" not in repr(v).splitlines()[0] for v in verdicts)


@pytest.mark.parametrize("e", EVERY, ids=named)
def test_there_is_an_answer_that_lacks_a_point(e):
    assert any(p.without for p in e.rubric), f"{e.id}: give one point at least its `without`"


@pytest.mark.parametrize(("e", "number"), WITHOUT, ids=named)
def test_an_answer_without_a_point_is_told_what_that_shows(e, number):
    point = e.rubric[number - 1]
    assert not point.is_in(point.without), "the program finds the point in the answer without it"
    verdict = e.check(point.without, ticked=[n for n in numbers(e) if n != number])
    assert verdict.outcome == "self-marked", f"not an answer yet: {point.without!r}\n{verdict}"
    assert (verdict.misconception, verdict.expected) == (point.misconception, point.text)
    assert verdict.seen == e.wrongs[number - 1].seen
    for shown in (repr(verdict), verdict._repr_html_()):
        assert misconceptions()[point.misconception].name.split("'")[0] in shown


@pytest.mark.parametrize("e", EVERY, ids=named)
def test_nothing_is_given_away_before_there_is_an_answer(e):
    early = [e.check(), e.check(None), e.check(e.stub_answer), e.check("I do not know"), e.check(7)]
    said = "\n".join(
        (repr(e), e._repr_markdown_(), *map(repr, early), *map(str, e.hints), e.cell())
    )
    secrets = [*re.split(r"(?<=[.!?])\s+", e.model), *(p.text for p in e.rubric)]
    assert [secret for secret in secrets if secret in said] == []


@pytest.mark.parametrize("e", EVERY, ids=named)
def test_the_words_of_the_task_are_not_taken_for_an_answer(e):
    """Readers begin with them: "What the team pays is ..."."""
    found = [n for n, p in enumerate(e.rubric, start=1) if p.is_in(e.prompt.replace("?", "."))]
    assert found == [], f"{e.id}: `found` of the points {found} matches the prompt itself"


@pytest.mark.parametrize("e", EVERY, ids=named)
def test_the_right_words_alone_are_not_taken_for_a_statement(e):
    """An answer with the model's words, which says nothing: each sentence backwards.

    Who writes "covers" may mean the other direction. A word alone can only show a name, and then the
    point begins with "Names" or "Gives". Otherwise `found` needs two things that
    belong together, in their order, such as "forward ... covers", or is left to the reader.
    """
    backwards = (" ".join(s.rstrip(".").split()[::-1]) for s in re.split(r"(?<=[.;])\s+", e.model))
    answer = ". ".join(backwards)
    found = [
        n
        for n, p in enumerate(e.rubric, start=1)
        if not isinstance(p.found, (int, float))
        and not p.text.startswith(("Names", "Gives"))
        and p.is_in(answer)
    ]
    assert found == [], f"{e.id}: `found` of the points {found} is content with the words alone"


@pytest.mark.parametrize("e", EVERY, ids=named)
def test_its_cells_hold_answer_and_ticks(e):
    for solved, outcome in ((False, "not attempted"), (True, "self-marked")):
        *body, last = ast.parse(e.cell(solved)).body
        names = {"exercise": lambda _, e=e: e}
        exec(compile(ast.Module(body, []), "cell", "exec"), names)
        verdict = eval(compile(ast.Expression(last.value), "cell", "eval"), names)
        assert verdict.outcome == outcome
        assert not solved or verdict.points == (len(e.rubric),) * 2
    assert all(len(line) <= 79 for line in e.cell(solved=True).splitlines())
    assert e.model in e.solution() and all(p.text in e.solution() for p in e.rubric)


# ---------------------------------------------------------------- the order of things


def test_first_the_answer_then_the_ticks():
    first = TWO_MODELS.check(GOOD)
    assert first.outcome == "to be marked" and first.misconception is None
    assert "Which of the points 1 does" in repr(first) and "Model answer" in repr(first)
    assert "not yet" not in repr(first)  # nobody is told of a mistake before having marked
    ticked = TWO_MODELS.check(GOOD, ticked=[1])
    assert ticked.points == (3, 3) and "self-marked, 3 of 3" in repr(ticked)
    none = TWO_MODELS.check(GOOD, ticked=[])
    assert none.outcome == "self-marked" and none.points == (2, 3)


def test_where_the_program_finds_all_points_there_is_nothing_to_tick():
    assert DIRECTION.check(DIRECTION.model).outcome == "self-marked"


@pytest.mark.parametrize("ticked", [[1], (1,), {1}, 1, "1", "1, 1", range(1, 2)])
def test_ticks_may_be_written_in_many_ways(ticked):
    assert TWO_MODELS.check(GOOD, ticked=ticked).points == (3, 3)


@pytest.mark.parametrize("ticked", [[4], [0], [-1], "one", 1.5, [None], {"a": 1}, object()])
def test_ticks_that_are_no_points_are_refused(ticked):
    verdict = TWO_MODELS.check(GOOD, ticked=ticked)
    assert verdict.outcome == "error" and "1 to 3" in verdict.note


@pytest.mark.parametrize("answer", [3, {"a": "b"}, [1, 2], b"bytes", object()])
def test_what_is_no_text_is_refused(answer):
    assert TWO_MODELS.check(answer).outcome == "error"


@pytest.mark.parametrize("answer", ["", "  \n", "...", "because it is smaller", "\n...\n", []])
def test_a_handful_of_words_is_no_attempt(answer):
    assert TWO_MODELS.check(answer, ticked=[1, 2, 3]).outcome == "not attempted"


def test_markup_in_an_answer_is_shown_and_not_obeyed():
    shown = TWO_MODELS.check(f"<script>alert(1)</script> {GOOD}")._repr_html_()
    assert "<script>" not in shown and "&lt;script&gt;" in shown


# ---------------------------------------------------------------- what the program finds


@pytest.mark.parametrize(
    "answer",
    [
        "Forward covers.",
        "It is plain that the FORWARD direction,\nwith its walls, covers both of them.",
        "I first thought not. The forward divergence covers them.",
        "Forward covers, because a hole is not cheap.",
        "Forward covers and needs no search for it.",
        "Forward covers, but nothing follows for reverse.",
    ],
)
def test_a_phrase_is_found(answer):
    assert DIRECTION.rubric[0].is_in(answer)


@pytest.mark.parametrize(
    "answer",
    [
        "The forward direction never covers.",
        "The forward direction doesn’t cover; does the forward direction cover?",
        "It is wrong that forward covers.",
        "Forward picks rather than covers.",
        "Forward covers, which is false.",
        "Forward covers, but that is wrong.",
        "Forward covers and it never does.",
        "Forward covers one peak and does not the other.",
        "Nobody claims it, because forward covers.",
        "Does forward cover? Does the forward direction cover both?",
        "Without capacity forward covers nothing.",
        "Forward is one thing. The other one covers.",
        "fast-forwarding discovers",
    ],
)
def test_a_denial_a_question_and_a_distant_word_are_not_taken_for_it(answer):
    assert not DIRECTION.rubric[0].is_in(answer)


@pytest.mark.parametrize(
    ("answer", "is_found"),
    [
        ("It is not a metric.", True),
        ("The triangle inequality fails.", True),
        ("Nobody says that it is not a metric.", False),
        ("It is a metric.", False),
    ],
)
def test_a_phrase_that_denies_may_be_looked_for(answer, is_found):
    assert DIRECTION.rubric[2].is_in(answer) == is_found


@pytest.mark.parametrize("text", ["0.7044", "0,7044", "about 0.704", ".7044", "70.44 %", "0.70440"])
def test_a_number_is_found_however_it_is_written(text):
    assert DIRECTION.rubric[1].is_in(f"The value is {text}, in nats.")


@pytest.mark.parametrize("text", ["0.7", "0.70", "1", "0.7144", "10.7044", "0.7044.1", "v0.7044b"])
def test_another_number_is_not_taken_for_it(text):
    assert not DIRECTION.rubric[1].is_in(f"The value is {text}, in nats.")
    assert not DIRECTION.rubric[1].is_in("The value is not 0.7044.")


def test_whole_numbers_and_thousands():
    def holds(value, text):
        return Point("Says it.", misconception="sign-flipped", found=value).is_in(text)

    assert holds(14_000, "a layer of 14,000 labels") and holds(14_000, "of 14000 labels.")
    assert holds(31, "31 million") and not holds(31, "131 million") and not holds(31, "30.6")
    assert holds(0, "it is 0 there") and not holds(0, "it is 0.4 there")
    assert holds(-0.5, "it is −0.5") and not holds(0.5, "it is -0.5")
    assert holds(1e-7, "at 0.0000001")


def test_what_the_program_misses_the_reader_may_tick():
    answer = "The student is small: thirty-one million parameters. It is taught by the large one."
    first = TWO_MODELS.check(answer)
    assert repr(first).count("look yourself") == 2
    assert TWO_MODELS.check(answer, ticked=[1, 2, 3]).points == (3, 3)


# ---------------------------------------------------------------- authors' mistakes


def make(*rubric, model="A model answer of some words, with 31 in it. It has a second sentence."):
    about = {"source": ("Q01",), "difficulty": 1, "minutes": 1, "prompt": "?", "hints": ("a", "b")}
    return written("made-up", model=model, rubric=rubric, **about)


PLAIN = [Point(f"Says {n}.", misconception="sign-flipped") for n in range(5)]


def test_an_author_is_told_of_a_rubric_that_cannot_work():
    assert make(*PLAIN[:3])
    for count in (0, 1, 2, 5):
        with pytest.raises(ValueError, match="must have 3 or 4"):
            make(*PLAIN[:count])
    with pytest.raises(ValueError, match="not in misconceptions.toml"):
        Point("x", misconception="no-such-mistake")
    with pytest.raises(re.error):
        Point("x", misconception="sign-flipped", found="(")


# ---------------------------------------------------------------- progress and export


@pytest.fixture
def in_book(monkeypatch):
    """As if the two examples were chapter 1."""
    both = {1: (TWO_MODELS, DIRECTION)}
    for name, value in (("chapters", both), ("exercises", {e.id: e for e in both[1]})):
        monkeypatch.setattr(f"kdlib.exercises.notebooks.tables.{name}", lambda value=value: value)


def test_progress_says_who_marked(monkeypatch, tmp_path, in_book):
    monkeypatch.setenv(progress.FOLDER, str(tmp_path))

    def states():
        return {id: entry["state"] for id, entry in progress.read()[0].items()}

    TWO_MODELS.check(TWO_MODELS.stub_answer)
    assert states() == {}
    TWO_MODELS.check(GOOD)
    TWO_MODELS.check(GOOD, ticked=[])
    assert states() == {"two-models": "tried"}
    TWO_MODELS.check(GOOD, ticked=[1])
    TWO_MODELS.check(GOOD)
    assert states() == {"two-models": "self-marked"}
    head, _, row, _ = progress_table().splitlines()
    assert head.split()[:5] == ["chapter", "solved", "self-marked", "tried", "open"]
    assert row.split() == ["01", "0", "1", "0", "1", "5"]
    two, other = json.loads(export_json())
    assert two["progress"] == {"state": "self-marked", "checks": 4, "points": [3, 3]}
    assert two["kind"] == "written" and two["model"] == TWO_MODELS.model
    assert [p["looked_for"] for p in other["rubric"]] == [True] * 4
