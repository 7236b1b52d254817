"""What must hold for every exercise of the book, present and future.

`JUDGED` are those that the program judges; what holds for the others is in test_written_answers.py.
"""

import ast
import re
import time
from pathlib import Path

import pytest

from kdlib.exercises import chapters, coverage, exercise, exercises, misconceptions
from kdlib.exercises.judging.sandbox import Failure
from kdlib.exercises.kinds.functions import CodeExercise
from kdlib.exercises.kinds.numbers import NumberExercise
from kdlib.exercises.kinds.written import WrittenExercise
from kdlib.exercises.notebooks.solved import CHAPTERS

ALL = list(exercises().values())
CODE = [e for e in ALL if isinstance(e, CodeExercise)]
JUDGED = [e for e in ALL if not isinstance(e, WrittenExercise)]
WRONGS = [(e, w) for e in JUDGED for w in e.wrongs]


def named(e):
    return e.id


def named_wrong(pair):
    return getattr(pair, "id", getattr(pair, "misconception", None))


@pytest.mark.parametrize("e", JUDGED, ids=named)
def test_every_right_answer_is_correct(e):
    for answer in e.right_answers():
        assert e.check(answer).outcome == "correct", e.check(answer)


@pytest.mark.parametrize("e", ALL, ids=named)
def test_the_untouched_stub_is_not_attempted(e):
    assert e.check(e.stub_answer).outcome == "not attempted"
    assert e.check(None).outcome == "not attempted"
    assert e.check().outcome == "not attempted"


@pytest.mark.parametrize(("e", "wrong"), WRONGS, ids=named_wrong)
def test_a_named_wrong_answer_gets_its_own_name_and_message(e, wrong):
    verdict = e.check(wrong.example)
    got = verdict.outcome, verdict.misconception, verdict.seen, verdict.expected
    assert got == ("wrong", wrong.misconception, wrong.seen, wrong.expected), verdict


@pytest.mark.parametrize("e", ALL, ids=named)
def test_no_two_wrong_answers_share_a_message(e):
    messages = [wrong.seen for wrong in e.wrongs]
    assert len(messages) == len(set(messages))
    assert len(messages) >= 2


@pytest.mark.parametrize("e", JUDGED, ids=named)
def test_no_message_contains_the_answer(e):
    known = [*e.wrongs, *(s.wrong for s in getattr(e, "symptoms", []))]
    for message in (f"{w.seen} {w.expected}" for w in known):
        for secret in secrets(e):
            assert not re.search(rf"(?<![\w.]){re.escape(secret)}(?![\w.]*\w)", message), message


def secrets(e):
    """Texts that would give the answer away."""
    if isinstance(e, NumberExercise):
        exact = f"{e.value:.{e.decimals}f}"
        return {exact, exact.rstrip("0").rstrip(".") if "." in exact else exact}
    if isinstance(e, CodeExercise):
        nodes = [n for part in ast.parse(e.answer_solved).body[0].body[1:] for n in ast.walk(part)]
        return {ast.unparse(n) for n in nodes if isinstance(n, (ast.BinOp, ast.Call, ast.Compare))}
    if e.kind == "choice":
        return {e.right_answers()[-1], f"({e.letter})"}
    if e.kind == "ordering":
        return {e.letters, ", ".join(e.letters)}
    return {accepted for blank in e.blanks for accepted in blank if len(accepted) > 3}


@pytest.mark.parametrize("e", JUDGED, ids=named)
def test_a_check_is_fast_and_says_the_same_twice(e):
    for answer in [e.right_answers()[0], *(w.example for w in e.wrongs[:1])]:
        e.check(answer)  # the first call computes what is kept
        start = time.process_time()  # of the processor: a busy machine makes no check slow
        first = e.check(answer)
        assert time.process_time() - start < 1
        assert repr(e.check(answer)) == repr(first)


@pytest.mark.parametrize("e", ALL, ids=named)
def test_it_says_what_it_asks_of_the_reader(e):
    assert set(e.source) <= set(coverage())
    assert 1 <= e.minutes <= 30
    assert len(e.hints) >= 2
    assert e.prompt and repr(e).endswith(e.prompt)  # and so the solution is not shown
    assert e.hint() and e.hint(len(e.hints)) and e.solution()
    with pytest.raises(ValueError, match="no hint"):
        e.hint(len(e.hints) + 1)


@pytest.mark.parametrize("e", CODE, ids=named)
def test_code_has_several_probes_and_every_one_is_needed_or_points(e):
    assert len(e.probes) >= 3
    assert any(w for w in e.wrongs), "a code exercise names its mistakes"
    pointing = {probe.points_to for probe in e.probes} - {None}
    assert pointing <= set(misconceptions())


@pytest.mark.parametrize("e", ALL, ids=named)
def test_the_cells_run_as_they_stand(e):
    """The stub's cell is 'not attempted', the solved one 'correct', or 'self-marked'."""
    for solved, outcome in ((False, "not attempted"), (True, e.done)):
        *body, last = ast.parse(e.cell(solved)).body
        names = {"exercise": exercise}
        exec("import torch\nimport math\nimport torch.nn.functional as F", names)
        exec(compile(ast.Module(body, []), "cell", "exec"), names)
        assert eval(compile(ast.Expression(last.value), "cell", "eval"), names).outcome == outcome


@pytest.mark.parametrize("e", CODE, ids=named)
def test_a_rule_can_be_asked_and_does_not_hold_for_the_reference(e):
    """While an answer is judged a rule that raises does not hold; here it would go unnoticed."""
    right, _ = e.known
    assert [s.wrong.seen for s in e.symptoms if s.holds(right)] == []


@pytest.mark.parametrize("e", CODE, ids=named)
def test_a_named_wrong_answer_runs(e):
    """One that fails would be the name of every answer that fails."""
    _, wrongs = e.known
    names = [probe.name for probe in e.probes if not probe.points_to]
    for wrong, outcomes in wrongs:
        assert not [name for name in names if isinstance(outcomes[name], Failure)], wrong


def test_what_the_program_judges_is_mostly_code():
    """In a chapter at least a third of it, so that there is room for derivations; half in all."""
    for chapter, found in chapters().items():
        judged = [e for e in found if e in JUDGED]
        assert 3 * sum(e.kind == "code" for e in judged) >= len(judged), chapter
    assert 2 * len(CODE) >= len(JUDGED)


def test_chapters_have_enough_exercises():
    for chapter, found in chapters().items():
        assert len(found) >= (6 if chapter <= 6 else 4), chapter


def test_source_questions_of_the_written_chapters_are_covered():
    asked = {
        1: range(1, 6),
        2: [*range(6, 14), 29],
        3: range(14, 18),
        4: range(18, 24),
        5: range(24, 27),
        6: [27],
        10: [28],
    }
    for chapter in set(chapters()) & set(asked):
        here = {q for e in chapters()[chapter] for q in e.source}
        assert {f"Q{n:02}" for n in asked[chapter]} <= here, chapter


def test_the_book_names_enough_mistakes():
    assert len(WRONGS) >= 120


def test_every_misconception_is_used_and_every_question_covered():
    used = {w.misconception for e in ALL for w in e.wrongs}
    used |= {s.wrong.misconception for e in CODE for s in e.symptoms}
    assert set(misconceptions()) <= used
    assert all(coverage().values())


def test_the_catalogue_is_complete():
    for entry in misconceptions().values():
        texts = (entry.name, entry.why, entry.sign, entry.do)
        assert all(texts) and entry.read, entry.id
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", entry.id)
        assert not entry.name.endswith(".") and all(t.endswith((".", "?")) for t in texts[1:])


def test_the_catalogue_reads_chapters_that_exist_or_will():
    written = {path.stem: path for path in Path(CHAPTERS).glob("[0-9]*.py")}
    for entry in misconceptions().values():
        for place in entry.read:
            chapter, _, section = place.partition("#")
            assert re.fullmatch(r"\d\d_[a-z_0-9]+", chapter), place
            if chapter in written and section:
                headings = re.findall(
                    r"^# #+ (.+)$", written[chapter].read_text("utf-8"), re.MULTILINE
                )
                assert section in {re.sub(r"\W+", "-", h.lower()).strip("-") for h in headings}, (
                    place
                )
