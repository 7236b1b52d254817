"""A right answer is right in every spelling that a reader may choose, and a wrong one keeps its name."""

import re

import numpy as np
import pytest
import torch
from ways_of_writing import spellings, spellings_of_a_number, spellings_of_an_option

from kdlib.exercises import exercise, exercises
from kdlib.exercises.kinds.derivations import derivation
from kdlib.exercises.kinds.formulas import is_formula, same_formula
from kdlib.exercises.kinds.numbers import NumberExercise

ALL = list(exercises().values())
CHOICES = [e for e in ALL if e.kind == "choice"]
ORDERINGS = [e for e in ALL if e.kind == "ordering"]
DERIVATIONS = [e for e in ALL if e.kind == "derivation"]
NUMBERS = [e for e in ALL if isinstance(e, NumberExercise)]
ABOUT = {"source": ("Q01",), "difficulty": 1, "minutes": 1, "hints": ("think", "look")}

of_each = lambda found: pytest.mark.parametrize("e", found, ids=lambda e: e.id)  # noqa: E731

# ---------------------------------------------------------------- choices and orders


@of_each(CHOICES)
def test_every_spelling_of_every_option_is_read(e):
    for letter, option in zip("abcdefgh", e.options):
        outcome = "correct" if option.wrong is None else "wrong"
        for answer in spellings_of_an_option(letter, option.text):
            verdict = e.check(answer)
            assert verdict.outcome == outcome, (answer, verdict)
            assert option.wrong is None or verdict.seen == option.wrong.seen


@of_each(CHOICES)
def test_two_options_at_once_are_none(e):
    other = "b" if e.letter == "a" else "a"
    for answer in (
        f"{e.letter}, {other}", f"{e.letter} or {other}", f"{e.letter}. or {other}.",
        f"{e.letter}: {e.options['ab'.index(other)].text}", [e.letter, other], "", "z", 3, True,
        {e.letter, other}, "x" * 10**6,
    ):  # fmt: skip
        verdict = e.check(answer)
        assert verdict.outcome == "error" and "a, b" in verdict.note, answer
        assert len(verdict.note) < 300


@of_each(ORDERINGS)
def test_every_spelling_of_an_order_is_read(e):
    letters = list(e.letters)
    for answer in (
        e.letters, e.letters.upper(), letters, tuple(letters), np.array(letters), [e.letters],
        " > ".join(letters), " → ".join(letters), ", ".join(letters[:-1]) + f" and {letters[-1]}",
        [f"({letter})" for letter in letters], [f"{letter}." for letter in letters],
        f"`{e.letters}`", f"{e.letters}.", "\n".join(letters), e.items, list(e.items),
        [f"{letter}: {item}" for letter, item in zip(letters, e.items)],
    ):  # fmt: skip
        assert e.check(answer), answer
    for answer in ("a", e.letters[1:], letters + letters[:1], {"a"}, 5, "xyz", [1, 2]):
        assert e.check(answer).outcome == "error", answer


# ---------------------------------------------------------------- numbers


@of_each(NUMBERS)
def test_every_spelling_of_a_number_is_read(e):
    text = f"{e.value:.{e.decimals}f}"
    for answer in spellings_of_a_number(text, e.value, e.unit):
        assert e.check(answer), (answer, e.check(answer))


@pytest.mark.parametrize(
    "text", ["ln(10)", "log(10)", "math.log(10)", "np.log(10)", "-log(0,1)", "ln 10", "-ln(1/10)"]
)
def test_a_number_may_be_a_formula(text):
    assert exercise("worst-skew-kl").check(text)
    assert exercise("worst-skew-kl").check(f"{text} nats")


def test_words_behind_a_number_are_its_unit_if_the_prompt_has_them():
    e = exercise("bug-divisor-of-every-process")
    assert e.check("600 tokens") and e.check("600 Tokens.") and e.check("600.0")
    for text in ("600 apples", "600 million", "6 hundred", "600 60"):
        assert e.check(text).outcome == "error", text
    assert e.check(600.4).outcome == "wrong" and "whole" in e.check(600.4).seen


def test_bits_are_not_nats():
    e = exercise("worst-skew-kl")
    verdict = e.check(f"{e.value:.3f} bits")
    assert verdict.outcome == "wrong" and verdict.misconception == "nats-for-bits"


# ---------------------------------------------------------------- derivations


@of_each(DERIVATIONS)
def test_every_spelling_of_every_right_filling_is_right(e):
    right = e.right_answers()[0]
    for place, accepted in enumerate(e.blanks):
        for known in accepted:
            for text in spellings(e, known):
                answer = [*right[:place], text, *right[place + 1 :]]
                assert e.check(answer), (text, e.check(answer))


@of_each(DERIVATIONS)
def test_every_spelling_of_a_named_mistake_has_its_name(e):
    for (blank, slip), wrong in zip(e.slips, e.wrongs):
        for text in spellings(e, slip):
            answer = [*e.right_answers()[0]]
            answer[blank - 1] = text
            assert e.check(answer).seen == wrong.seen, (text, e.check(answer))


@of_each(DERIVATIONS)
def test_all_blanks_may_come_in_any_collection(e):
    right = e.right_answers()[0]
    for answer in (
        right, tuple(right), np.array(right), dict(enumerate(right, start=1)), ", ".join(right),
        {f"[{number}]": text for number, text in enumerate(right, start=1)}, "\n".join(right),
    ):  # fmt: skip
        assert e.check(answer), answer
    assert e.check([""] * len(right)).outcome == e.check("").outcome == "not attempted"


@of_each(DERIVATIONS)
def test_words_of_the_prompt_around_a_blank_may_be_repeated(e):
    right = e.right_answers()[0]
    for before, number, after in re.findall(r"(?:(\w+) )?\[(\d)\](?: (\w+))?", e.prompt):
        place = int(number) - 1
        for text in ({f"{right[place]} {after}"} if after else set()) | (
            {f"{before} {right[place]}"} if before else set()
        ):
            answer = [*right[:place], text, *right[place + 1 :]]
            assert e.check(answer), (text, e.check(answer))


@of_each(DERIVATIONS)
def test_a_word_that_is_none_of_those_offered_is_an_error_that_lists_them(e):
    for place, accepted in enumerate(e.blanks):
        answer = [*e.right_answers()[0]]
        answer[place] = "whatever you like"
        verdict = e.check(answer)
        assert verdict.outcome == "error" and f"[{place + 1}]" in verdict.note
        if not is_formula(accepted[0], e.symbols):
            slips = {text for blank, text in e.slips if blank == place + 1}
            assert all(text in verdict.note for text in slips | {accepted[0]}), verdict


@pytest.mark.parametrize(
    ("id", "fillings"),
    [
        ("two-conventions", ("λ/(1+λ)", "1 + lambda", "(y + lambda p)/(1+lambda)", "(1-α)y + αp")),
        ("two-conventions", ("λ/(λ+1)", "λ/α", "y(1-α) + pα", "(1-α)y + αp")),  # by [1]
        ("chain-of-token-losses", ("abc", "-ln(abc)", "(abc)^(1/3)")),
        ("chain-of-token-losses", ("a b c", "-log a - log b - log c", "exp(1/3 ln(a b c))")),
        ("best-lambda-in-theory", ("(1-w)² s + w² b", "s/(s+b)", "s/b", "s/nb")),
        ("noise-and-lambda", ("`up`", "'up'", "Down", "DOWN.")),
        ("temperature-and-odds", ("(a-b)/T", "3 times", 1)),
        ("students-that-swap", ("-(a log w + b log v + c log u)", "(b-c) ln(u/v)", "one", 0.11)),
        ("students-that-swap", ("-(a ln w+b ln v+c ln u)", "(b-c)ln(u/v)", "one", "0.1 ln(3) nats")),
    ],
)  # fmt: skip
def test_what_readers_write(id, fillings):
    assert exercise(id).check(*fillings), exercise(id).check(*fillings)


def test_a_fraction_bar_before_a_product_is_read_both_ways():
    assert same_formula("1/2 x", "x/2", ("x",)) and same_formula("1/2x", "1/(2*x)", ("x",))
    assert same_formula("s/nb", "s/(n*b)", ("s", "n", "b"))
    assert not same_formula("s/n+b", "s/(n+b)", ("s", "n", "b"))


@pytest.mark.parametrize(
    "bad", ["2 3", "x 2", "x y", "(x", "x)", "log", "x*", "", "f(x)", "x.y", "="]
)
def test_what_is_no_formula_is_refused(bad):
    assert not is_formula(bad, ("x",))


def test_a_formula_that_has_no_value_is_told_so():
    e = derivation("fill", prompt="[1]", blanks=("log(u/v)",), symbols=("u", "v"), **ABOUT)
    assert e.check("log(u - v)").outcome == "wrong"  # it has one where u > v
    for text in ("log(-u)", "1/(u - u)", "9**9**9**9", "sqrt(-1)"):
        verdict = e.check(text)
        assert verdict.outcome == "error" and "no value" in verdict.note, verdict
    assert "cannot be read" in e.check("log(u v").note
    assert e.check("log(u) - log(v)")


def test_the_only_word_that_is_known_is_not_given_away():
    e = derivation("fill", prompt="[1]", blanks=(("teacher", "the teacher"),), **ABOUT)
    verdict = e.check("student")
    assert verdict.outcome == "wrong" and "teacher" not in repr(verdict)


# ---------------------------------------------------------------- what a function returns


def rows_of(result):
    """A tensor as the list of its rows; anything else as it is."""
    return list(result) if isinstance(result, torch.Tensor) and result.ndim else result


def rows_of_rows(result):
    if not isinstance(result, torch.Tensor) or result.ndim < 3:
        return rows_of(result)
    return [rows_of_rows(row) for row in result]


@of_each([e for e in ALL if e.kind == "code"])
def test_a_list_of_rows_is_as_good_as_a_tensor(e):
    for form in (rows_of, rows_of_rows):
        verdict = e.check(lambda *args, form=form: form(e.reference(*args)))
        assert verdict.outcome == "correct", verdict
