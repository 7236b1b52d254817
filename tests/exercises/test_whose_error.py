"""An error is told with the reader's own line or with none, and only the stub is a stub."""

import functools
import linecache
import re
import statistics
import textwrap

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from kdlib.exercises import code, exercise, exercises
from kdlib.exercises.authoring.inputs import normal
from kdlib.exercises.kinds.functions import CodeExercise

ABOUT = {"source": ("Q01",), "difficulty": 1, "minutes": 1, "hints": ("think", "look")}
CODE = [e for e in exercises().values() if isinstance(e, CodeExercise)]
SOFTEN = exercise("soften")


def line_of(verdict):
    """What is shown as a line of the reader's; None if nothing is."""
    found = re.search(r"in line (\d+) of your code: (.*)", verdict.note)
    return found and found[2]


def cell(text, **names):
    """The names after a notebook's cells were run; as there, all share their global names."""
    names = {"__name__": "__main__", "torch": torch, "F": F, **names}
    for source in textwrap.dedent(text).split("# %%\n"):
        file = f"/tmp/ipykernel_1/{abs(hash(source))}.py"
        linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
        exec(compile(source, file, "exec"), names)
    return names


@pytest.fixture
def summed():
    """A sum of the rows, of which the probe takes the mean."""

    @code(prompt="sum", **ABOUT)
    def sum_of_rows(x):
        """The sum of each row. (B, V) -> (B,)"""
        return x.sum(dim=-1)

    elsewhere = cell(  # where no code of the answers is, as in the book's own modules
        """
        def mean(answer, x):
            return torch.as_tensor(answer(x)).reshape(len(x)).mean()
        """
    )
    for rows in (3, 4):
        sum_of_rows.probe(f"{rows} rows", normal(rows, 5, seed=rows))
    sum_of_rows.probe("the mean", normal(2, 5, seed=2), measure=elsewhere["mean"])
    return sum_of_rows


# ---------------------------------------------------------------- stubs


def test_only_a_bare_raise_in_the_answers_own_code_is_a_stub(summed):
    def called():
        raise NotImplementedError()

    def told(x):
        raise NotImplementedError("I do not know how")

    class Later(NotImplementedError):
        pass

    def later(x):
        raise Later

    assert summed.check(lambda x: called()).outcome == "not attempted"
    assert "I do not know how" in summed.check(told).note and line_of(summed.check(told))
    assert summed.check(later).outcome == "error"


@pytest.mark.parametrize(
    "answer",
    [
        lambda x: torch.softmax(x.long(), -1).sum(-1),
        lambda x: F.cross_entropy(x.long(), x.argmax(-1)),
        lambda x: F.log_softmax(x.int(), -1).sum(-1),
        lambda x: nn.Module()(x),
        lambda x: torch.distributions.Distribution(validate_args=False).sample(),
        lambda x: next(iter(torch.utils.data.IterableDataset())),
        lambda x: np.random.BitGenerator()._legacy_seeding(1),
    ],
)
def test_what_a_library_does_not_implement_is_an_error(summed, answer):
    verdict = summed.check(answer)
    assert verdict.outcome == "error", verdict
    assert "Error" in verdict.note


def test_swapped_arguments_are_told_with_torchs_message():
    for id, answer in (
        ("bug-next-word-loss", lambda lo, tok, m, stop: F.cross_entropy(tok[:, :-1], lo[:, 1:])),
        ("combined-objective", lambda y, t, s, lam: F.log_softmax(y, -1).sum()),
        ("soften", lambda logits, t: torch.softmax((logits / t).long(), -1)),
    ):
        verdict = exercise(id).check(answer)
        assert verdict.outcome == "error" and "not implemented for 'Long'" in verdict.note
        assert "lambda" in line_of(verdict)


def test_a_library_that_fails_on_some_probes_is_not_nothing(summed):
    def sometimes(x):
        return torch.softmax(x.long(), -1).sum(-1) if len(x) == 4 else x.sum(-1)

    verdict = summed.check(sometimes)
    assert verdict.outcome == "error" and "4 rows" in verdict.note and "Long" in verdict.note


def test_a_case_that_is_left_open_is_told_with_its_line(summed):
    def half(x):
        if len(x) == 4:
            raise NotImplementedError
        return x.sum(-1)

    verdict = summed.check(half)
    assert verdict.outcome == "error" and line_of(verdict) == "raise NotImplementedError"


@pytest.mark.parametrize("e", CODE, ids=lambda e: e.id)
def test_the_stub_of_every_exercise_is_one_in_a_cell_too(e):
    names = cell(e.answer_stub)
    assert e.check(names[e.answer_name]).outcome == "not attempted"
    wrapped = functools.wraps(names[e.answer_name])(lambda *a: names[e.answer_name](*a))
    assert e.check(torch.no_grad()(wrapped)).outcome == "not attempted"


# ---------------------------------------------------------------- lines


@pytest.mark.parametrize("e", CODE, ids=lambda e: e.id)
def test_a_line_that_is_shown_is_the_readers(e):
    """Whatever fails: the answer, what it calls, or the probe that looks at its result."""
    names = cell(
        """
        import statistics
        def in_torch(*a): return torch.zeros(2, 3) @ torch.zeros(2, 3)  # mine
        def in_statistics(*a): return statistics.mean([])  # mine
        # %%
        def helper(*a): return {}["no"]  # mine
        # %%
        def in_another_cell(*a): return helper(*a)  # mine
        def a_number(*a): return 1.5
        def a_text(*a): return "text"
        def a_list(*a): return [torch.zeros(2), torch.zeros(3)]
        def odd_shape(*a): return torch.zeros(2, 3, 5, 7)
        """
    )
    for name in ("in_torch", "in_statistics", "in_another_cell"):
        verdict = e.check(names[name])
        if verdict.outcome == "error":  # some exercises expect an error, or catch it
            assert line_of(verdict).endswith("# mine"), verdict
    for name in ("a_number", "a_text", "a_list", "odd_shape"):
        verdict = e.check(names[name])
        assert line_of(verdict) is None, verdict


def test_the_innermost_line_of_the_readers_is_shown(summed):
    names = cell("def inner(x): return x.nothing\n# %%\ndef outer(x):\n    return inner(x)\n")
    assert line_of(summed.check(names["outer"])) == "def inner(x): return x.nothing"


def test_a_method_a_module_and_a_partial_are_the_readers_code(summed):
    class Answer(nn.Module):
        def forward(self, x):
            return x.nothing

        def method(self, y, x):
            return x.nothing

        @classmethod
        def of_class(cls, x):
            return x.nothing

    for answer in (
        Answer(), Answer().forward, functools.partial(Answer().method, 3), Answer.of_class,
        torch.no_grad()(Answer().forward), functools.cache(Answer.of_class),
    ):  # fmt: skip
        verdict = summed.check(answer)
        assert line_of(verdict) == "return x.nothing", (answer, verdict)


@pytest.mark.parametrize("answer", [F.nll_loss, statistics.mean, torch.matmul, SOFTEN.reference])
def test_a_function_of_a_library_has_no_line_of_the_readers(summed, answer):
    verdict = summed.check(answer)
    assert verdict.outcome == "error" and line_of(verdict) is None and "Error" in verdict.note


def test_what_a_probe_cannot_use_is_no_error_of_the_readers_code(summed):
    verdict = summed.check(lambda x: x.sum(-1) if len(x) > 2 else [1.0, 2.0, 3.0])
    assert verdict.outcome == "wrong" and '"the mean"' in verdict.seen
    assert "cannot be used" in verdict.seen and "your code" not in verdict.note


# ---------------------------------------------------------------- messages


def test_a_huge_message_is_shortened(summed):
    def loud(x):
        raise ValueError("first words " + "x" * 2_000_000)

    for text in (summed.check(loud).note, summed.check(loud)._repr_html_()):
        assert "first words" in text and len(text) < 2000


def test_notes_on_an_error_do_not_hide_its_message(summed):
    def noted(x):
        error = ValueError("the message")
        error.add_note("a note")
        raise error

    assert "ValueError: the message" in summed.check(noted).note


def test_an_error_that_cannot_be_printed_is_told_by_its_name(summed):
    class Silent(Exception):
        def __str__(self):
            raise SystemExit

    def silent(x):
        raise Silent

    assert "Silent" in summed.check(silent).note


@pytest.mark.parametrize("kind", [BaseException, KeyboardInterrupt, GeneratorExit, SystemExit])
def test_whatever_an_answer_raises_is_judged(summed, kind):
    class Own(kind):
        pass

    for error in (kind, Own):

        def raising(x, error=error):
            raise error("words")

        verdict = summed.check(raising)
        assert verdict.outcome == "error" and error.__name__ in verdict.note, verdict
        assert line_of(verdict) == 'raise error("words")'
