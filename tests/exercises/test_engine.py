"""The kinds of exercise, their verdicts, and how mistakes are recognised."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from written_examples import TWO_MODELS

from kdlib.exercises import code, exercise
from kdlib.exercises.authoring.inputs import log_distributions
from kdlib.exercises.judging.values import WrongType, difference, plain, same
from kdlib.exercises.kinds.choices import choice, right, wrong
from kdlib.exercises.kinds.derivations import derivation
from kdlib.exercises.kinds.formulas import same_formula
from kdlib.exercises.kinds.number_reader import read_number
from kdlib.exercises.kinds.numbers import number
from kdlib.exercises.kinds.orderings import ordering

ABOUT = {"source": ("Q01",), "difficulty": 1, "minutes": 1, "hints": ("think", "look")}


@pytest.fixture
def kl():
    @code(prompt="KL", **ABOUT)
    def kl_of_rows(log_p, log_q):
        """KL of each row."""
        return (log_p.exp() * (log_p - log_q)).sum(dim=-1)

    for rows, words in ((3, 5), (2, 7), (4, 2)):
        kl_of_rows.probe(
            f"{rows} rows",
            log_distributions(rows, words, seed=rows),
            log_distributions(rows, words, seed=9 + rows),
        )
    zeros = torch.tensor([[1.0, 0.0]]).log(), torch.tensor([[0.5, 0.5]]).log()
    kl_of_rows.reference_with_zeros = zeros

    @kl_of_rows.wrong("kl-reversed", seen="reversed", expected="forward")
    def reversed_kl(log_p, log_q):
        return (log_q.exp() * (log_q - log_p)).sum(dim=-1)

    @kl_of_rows.wrong("ce-called-kl", seen="not 0 at P = Q", expected="0 at P = Q")
    def cross(log_p, log_q):
        return -(log_p.exp() * log_q).sum(dim=-1)

    return kl_of_rows


def test_forms_that_mean_the_same_are_accepted(kl):
    def forms(form):
        return lambda p, q: form(kl.reference(p, q))

    for form in (torch.Tensor.tolist, torch.Tensor.numpy, torch.Tensor.double, tuple, list):
        assert kl.check(forms(form)), form
    assert kl.check(forms(lambda x: [np.float32(v) for v in x]))


def test_a_scale_a_sign_and_a_base_are_recognised_without_help(kl):
    def times(c):
        return lambda p, q: c * kl.reference(p, q)

    assert kl.check(times(-1)).misconception == "sign-flipped"
    assert kl.check(times(1 / math.log(2))).misconception == "nats-for-bits"
    other = kl.check(times(3))
    assert other.misconception is None and "3 times" in other.seen
    reversed_in_bits = kl.check(lambda p, q: kl.reference(q, p) / math.log(2))
    assert reversed_in_bits.misconception == "kl-reversed"


def test_most_of_a_mistake_is_enough(kl):
    def mostly_reversed(p, q):
        return kl.reference(q, p) if len(p) != 4 else torch.zeros(4)

    assert kl.check(mostly_reversed).misconception == "kl-reversed"


def test_a_probe_can_point_to_its_mistake(kl):
    p, q = kl.reference_with_zeros

    @code(prompt="KL", **ABOUT)
    def kl_with_zeros(log_p, log_q):
        """KL of each row."""
        return torch.special.xlogy(log_p.exp(), log_p.exp() / log_q.exp()).sum(dim=-1)

    kl_with_zeros.probe("plain", *(x.exp().add(0.1).log_softmax(-1) for x in (p, q)))
    kl_with_zeros.probe("zeros", p, q, points_to="zero-log-zero", expected="0 log 0 = 0")
    verdict = kl_with_zeros.check(kl.reference)
    assert (verdict.misconception, verdict.expected) == ("zero-log-zero", "0 log 0 = 0")
    assert "NaN" in verdict.seen


def test_a_symptom_names_what_no_stored_answer_does(kl):
    @kl.symptom("batch-for-row", seen="one value", expected="one for each row")
    def _(results):
        return all(value.ndim == 0 for value in results.values())

    assert kl.check(lambda p, q: kl.reference(p, q).max()).misconception == "batch-for-row"
    assert (
        kl.check(lambda p, q: "words").misconception is None
    )  # the rule fails on text: no verdict


def test_an_unknown_mistake_names_the_probe_and_the_difference(kl):
    verdict = kl.check(lambda p, q: kl.reference(p, q) + len(p))
    assert verdict.misconception is None
    assert '"3 rows"' in verdict.seen and "too large" in verdict.seen
    assert verdict.expected == "KL of each row."


def test_shapes_and_types_are_named(kl):
    assert "shape (3, 1)" in kl.check(lambda p, q: kl.reference(p, q)[:, None]).seen
    assert "a set" in kl.check(lambda p, q: {1, 2}).seen
    assert "complex" in kl.check(lambda p, q: kl.reference(p, q) + 0j).seen
    assert "NaN" in kl.check(lambda p, q: kl.reference(p, q) * math.nan).seen


def test_stubs_of_all_kinds_are_not_attempted(kl):
    def dots(p, q): ...

    def raising(p, q):
        raise NotImplementedError

    def forgot_return(p, q):
        kl.reference(p, q)

    for stub in (dots, raising, forgot_return, ..., None, lambda p, q: ...):
        assert kl.check(stub).outcome == "not attempted"
    assert "return" in kl.check(forgot_return).note


def test_something_that_is_no_function_is_told_so(kl):
    verdict = kl.check(torch.zeros(3))
    assert verdict.outcome == "error" and "function itself" in verdict.note


def test_an_error_is_shown_with_the_readers_line(kl):
    def broken(p, q):
        return p.no_such_method()

    verdict = kl.check(broken)
    assert verdict.outcome == "error"
    assert "no_such_method" in verdict.note and "3 rows" in verdict.note


def test_a_verdict_reads_well_and_shows_the_same_in_html(kl):
    verdict = kl.check(lambda p, q: kl.reference(q, p))
    assert repr(verdict) == (
        "✗ kl-of-rows: not yet: The KL divergence is turned round\n"
        "  Seen:     reversed\n"
        "  Expected: forward\n"
        '  Read:     04_kl_divergence, or misconception("kl-reversed")\n'
        '  Hint:     exercise("kl-of-rows").hint()'
    )
    for text in ("turned round", "reversed", "forward"):
        assert text in verdict._repr_html_()
    assert not verdict and kl.check(kl.reference)
    assert repr(kl.check(kl.reference)) == "✓ kl-of-rows: correct"


def test_html_in_an_answer_is_escaped(kl):
    def hostile(p, q):
        raise ValueError("<script>")

    assert "<script>" not in kl.check(hostile)._repr_html_()


# Numbers


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.5", 0.5),
        (" 0,5 ", 0.5),
        ("1/3", 1 / 3),
        ("-1 / 4", -0.25),
        ("26.8e-3", 0.0268),
        ("−2", -2.0),
        ("0.1 nats", 0.1),
        ("12.5%", 0.125),
        ("1,250", 1.25),
        ("1,200,000", 1.2e6),
        (Fraction(1, 8), 0.125),
        (torch.tensor([0.25]), 0.25),
        (np.float32(0.5), 0.5),
        ([3], 3.0),
    ],
)
def test_numbers_are_read_however_they_are_written(text, value):
    assert read_number(text) == pytest.approx(value, rel=1e-12)


def test_a_comma_in_a_whole_number_separates_thousands():
    assert read_number("1,200", whole=True) == 1200


@pytest.mark.parametrize(
    "bad", ["", "abc", "1/0", "1.234,5", "1/2/3", True, [1, 2], "0.5 0.6", {}, 1j]
)
def test_what_is_no_number_is_refused(bad):
    with pytest.raises(ValueError):
        read_number(bad)


@given(st.floats(-1e6, 1e6), st.sampled_from([str, repr, "{:.17g}".format, "{:e}".format]))
def test_written_numbers_come_back(value, write):
    assert read_number(write(value)) == pytest.approx(value, rel=1e-5, abs=1e-6)
    assert read_number(write(value).replace(".", ",")) == read_number(write(value))


@given(st.floats(-5, 5), st.integers(0, 5))
def test_the_stated_precision_decides(value, decimals):
    some_number = number("some-number", value=value, prompt="n", decimals=decimals, **ABOUT)
    unit = 10.0**-decimals
    assert some_number.check(round(value, decimals))
    assert some_number.check(value)
    assert not some_number.check(value + 0.51 * unit)
    assert not some_number.check(value - 0.51 * unit)
    assert not some_number.check(math.nan)


def test_a_number_in_bits_with_a_sign_or_in_percent_is_recognised():
    half = number("about-a-half", value=0.4321, prompt="n", decimals=4, unit="nats", **ABOUT)
    assert half.check(0.4321 / math.log(2)).misconception == "nats-for-bits"
    assert half.check(-0.4321).misconception == "sign-flipped"
    assert "percentage" in half.check(43.21).seen
    assert "rounding" in half.check(0.432).seen
    assert "too large" in half.check(7).seen
    assert half.check("what").outcome == "error"


def test_a_number_is_computed_from_what_is_given():
    e = number(
        "share",
        value="gain / (gain + loss)",
        given={"gain": 3, "loss": "gain / 3"},
        prompt="n",
        decimals=2,
        **ABOUT,
    )
    e.wrong("order-of-work", "1 - value", seen="the other share", expected="the share of gain")
    assert e.check(0.75) and e.check(0.25).seen == "the other share"
    assert "loss = gain / 3\nanswer = gain / (gain + loss)" in e.solution()
    for formula in ("gains / 2", "1 / 0", "open('x')"):
        with pytest.raises(ValueError, match="cannot be computed from gain, loss, value"):
            e.wrong("order-of-work", formula, seen="x", expected="y")


# Choices, orders, derivations


def test_a_choice_takes_letters_and_texts():
    e = choice(
        "pick",
        prompt="?",
        options=(
            right("yes", "indeed"),
            wrong("no", "kl-reversed", seen="no", expected="yes or so"),
        ),
        **ABOUT,
    )
    assert all(e.check(a) for a in ("a", "A", "(a)", " a. ", "yes"))
    assert e.check("b").misconception == "kl-reversed"
    assert e.check("c").outcome == e.check(3).outcome == e.check("ab").outcome == "error"
    with pytest.raises(ValueError, match="exactly one"):
        choice("pick", prompt="?", options=(right("yes", ""), right("also", "")), **ABOUT)


def test_an_order_is_judged_by_its_pairs():
    e = ordering("line-up", prompt="?", items=("one", "two", "three", "four"), **ABOUT)
    e.wrong(1, 3, "order-of-work", seen="three before one", expected="one before three")
    one, two, three, four = e.letters
    assert e.check(one, two, three, four) and e.check(f"{one} {two},{three}>{four}".upper())
    assert e.check(three, two, one, four).misconception == "order-of-work"
    assert e.check(two + one + three + four).misconception is None
    assert e.check("aab").outcome == e.check(5).outcome == "error"


def test_a_derivation_takes_any_equal_formula():
    e = derivation(
        "fill",
        prompt="[1] and [2]",
        blanks=("log(x) / 2", ("the teacher", "teacher")),
        symbols=("x",),
        **ABOUT,
    )
    e.wrong(1, "log(x)", "mean-for-sum", seen="not halved", expected="half")
    assert e.check("0.5 * ln(x)", "Teacher") and e.check({1: "log(sqrt(x))", 2: "the teacher"})
    assert e.check("ln(x)", "teacher").misconception == "mean-for-sum"
    assert e.check("x", "teacher").outcome == "wrong"
    assert "[2]" in e.check("log(x)/2", ...).note
    assert e.check("__import__('os')", "teacher").outcome == "error"
    assert e.check("only one").outcome == "error"


def test_formulas_are_compared_as_functions():
    assert same_formula("(a+b)^2", "a² + 2·a·b + b**2", ("a", "b"))
    assert not same_formula("a**2", "a**3", ("a",))
    assert same_formula("λ / (1 + λ)", "1 - 1/(1+lambda)", ("lambda_",))
    for bad in ("a b", "open('x')", "a.real", "a if a else 1", "", "1/0", "9**9**9**9"):
        with pytest.raises(ValueError):
            same_formula(bad, "a", ("a",))


def test_an_error_is_called_by_what_was_answered(kl):
    """Only an answer that is code has an error in its code."""

    def broken(p, q):
        return p.no_such_method()

    options = (right("yes", "indeed"), wrong("no", "kl-reversed", seen="no", expected="yes"))
    unreadable = (
        choice("pick", prompt="?", options=options, **ABOUT).check("z"),
        number("n", value=1, prompt="n", decimals=1, **ABOUT).check("what"),
        ordering("line-up", prompt="?", items=("one", "two"), **ABOUT).check("aab"),
        derivation("fill", prompt="[1]", blanks=("x",), symbols=("x",), **ABOUT).check("1 / 0"),
        TWO_MODELS.check(3),
        TWO_MODELS.check(TWO_MODELS.model, ticked=[9]),
    )
    for verdict in unreadable:
        assert verdict.outcome == "error"
        assert repr(verdict).splitlines()[0].endswith(": your answer cannot be read"), verdict
    assert "an error in your code" in repr(kl.check(broken))


# Values


def test_plain_values_share_no_memory():
    tensor = torch.zeros(2)
    value = plain(tensor)
    tensor += 1
    assert value.tolist() == [0, 0]
    assert plain([1, torch.tensor(2.0)]).tolist() == [1, 2]
    assert plain(torch.tensor([1.5], dtype=torch.bfloat16)).tolist() == [1.5]
    with pytest.raises(WrongType):
        plain(object())


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True, width=32), min_size=1, max_size=4))
def test_a_value_is_the_same_as_itself(numbers):
    assert same(plain(numbers), plain(torch.tensor(numbers)), 0, 0)
    assert same(plain(numbers), plain(tuple(numbers)), 0, 0)


def test_differences_are_said_in_words():
    ones = np.ones(3)
    assert difference(-ones, ones) == "has the wrong sign"
    assert difference(ones * 4, ones) == "is 4 times too large"
    assert difference(ones / 4, ones) == "is 4 times too small"
    assert "infinite" in difference(ones * np.inf, ones)
    assert "shape (2,)" in difference(np.ones(2), ones)
    assert "text" in difference("x", ones)
    assert "part number 2" in difference((ones, ones), (ones, 2 * ones))
    assert "part number 1" in difference(np.array([1.0, 2.0]), (np.array(3.0), np.array(2.0)))
    assert "spaces" in difference(" a  b", "a b")


def test_unknown_names_are_refused_with_similar_ones():
    with pytest.raises(ValueError, match="soften"):
        exercise("softenn")
    with pytest.raises(ValueError, match="kl-reversed"):
        wrong("x", "kl-reverse", seen="", expected="")
