"""What a chapter's file of predictions may hold, and what is proved by outputs."""

import dataclasses
import itertools
import math

import pytest
from made_up_predictions import DRAWS, MADE_UP, NEARER, ORDER, OUTPUT, SHARE, TEXT

from kdlib.exercises.predictions.data import predictions, read_chapter
from kdlib.exercises.predictions.judging import judge
from kdlib.exercises.predictions.proof import faults, holds, number_in


def test_what_is_right_is_proved():
    assert [fault for each in MADE_UP.values() for fault in faults(each, OUTPUT)] == []


def mutants(about):
    """The prediction with every other answer called right."""
    if about.kind == "choice":
        others = (option.text for option in about.options if option.text != about.right)
        return [dataclasses.replace(about, right=text) for text in others]
    if about.kind == "number":
        return [dataclasses.replace(about, right=about.right + step) for step in (-1, 0.1, 1)]
    orders = itertools.permutations(about.items)
    return [dataclasses.replace(about, items=order) for order in orders if order != about.items]


@pytest.mark.parametrize("about", MADE_UP.values(), ids=lambda about: about.id)
def test_whatever_else_is_called_right_is_found_out(about):
    wrong = mutants(about)
    assert len(wrong) >= 3
    assert [each for each in wrong if not faults(each, OUTPUT)] == []


@pytest.mark.parametrize(
    ("about", "old", "new", "words"),
    [
        (NEARER, "0.25", "0.75", "'A' is stored, ['B'] is shown"),
        (NEARER, "0.25", "0.50", "'A' is stored, ['neither'] is shown"),
        (NEARER, "student", "nothing", "'A' is stored, ['A', 'none was printed'] is shown"),
        (NEARER, "A   ", "C   ", "'^A +(\\\\S+)' is found 0 times, not once"),
        (NEARER, "B   ", "A 3\nB   ", "is found 2 times, not once"),
        (NEARER, "0.25", "low", "finds 'low', which is no number"),
        (DRAWS, "1,112", "1,113", "1112 is stored, 1113.0 is shown"),
        (SHARE, "19.5%", "19.4%", "19.5 is stored, 19.4 is shown"),
        (ORDER, "1,200", "0.1", "and do not rise"),
        (ORDER, "inf", "nan", "and do not rise"),
    ],
)
def test_another_output_is_found_out(about, old, new, words):
    (fault,) = faults(about, OUTPUT.replace(old, new, 1))
    assert fault.startswith(about.id) and words in fault


@pytest.mark.parametrize(
    ("when", "is_so"),
    [
        ("A < B", True), ("B < A", False), ("A < A", False), ("A > 0.2", True), ("A = 0.25", True),
        ("B = 2 * A", True), ("B < 1.9*A", False), ("0 < A < B", True), ("0 < B < A", False),
        ("A < B and B = 1", False), ("A < B and B = 0.5", True), ("N = nan", True),
        ("I = inf", True), ("A < I", True), ("N < I", False), ("/^one +-2$/", True), ("/^One/", False),
    ],
)  # fmt: skip
def test_comparisons(when, is_so):
    shows = {"A": r"^A +(\S+)", "B": r"^B +(\S+)", "N": r"^(nan)", "I": r"^four +(\S+)"}
    assert holds(when, shows, f"{OUTPUT}\nnan") is is_so


@pytest.mark.parametrize(
    "when", ["A", "A <", "A < C", "A ! B", "A < B < ", "2 * 3 * A < B", "", "A < é"]
)
def test_what_is_no_comparison_is_a_fault(when):
    about = dataclasses.replace(
        NEARER, options=(dataclasses.replace(NEARER.options[0], when=when),)
    )
    (fault,) = faults(about, OUTPUT)
    assert fault.startswith("99-nearer: ")


def test_numbers_are_read_as_they_are_printed():
    read = lambda text: number_in(r"^x (.*)$", f"x {text}")
    assert [read(t) for t in ("1,674", "+0.1", "-2", "−2", "40%", "1e-05", "inf")] == [
        1674, 0.1, -2, -2, 40, 1e-05, float("inf")
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('kind = "choice"', 'kind = "guess"', "99-nearer: a table is expected, with a kind of"),
        ("[99-nearer]", "[04-nearer]", "04-nearer: an id begins with 99-"),
        ("[99-nearer]", "[99-Nearer]", "an id begins with 99-"),
        ('question = "which is nearer"', 'question = ""', "'question' must be a text that is not"),
        ('question = "which is nearer"', "", "'question' is missing"),
        ('right = "A"', 'right = "C"', "`right` must be the text of one option"),
        ('right = "A"', 'right = "B"', "the right option needs no third text"),
        ('["neither", "A = B"]', '["A", "A = B"]', "`right` must be the text of one option"),
        ('["neither", "A = B"]', '["neither"]', "'options' must be 2 to 8 rows"),
        ('["neither", "A = B"]', '["neither", 3]', "'options' must be 2 to 8 rows"),
        ("shows.A = '^A +", "shows.A = '^A +(", "99-nearer: missing )"),
        ("factor = 1.5", "factor = 1.5\nwithin = 3", "give `factor` or `within`"),
        ("factor = 1.5", "", "give `factor` or `within`"),
        ("factor = 1.5", "factor = 1", "'factor' must be a number above 1"),
        ("factor = 1.5", "factors = 1.5", "there is no key 'factors'; is it 'factor'?"),
        ("ends = [1, 10000]", "ends = [0, 10000]", "`ends` must be around 1112"),
        ("ends = [1, 10000]", "ends = [2000, 10000]", "`ends` must be around 1112"),
        ("ends = [1, 10000]", "ends = [1]", "'ends' must be two numbers or two texts"),
        ("shows = 'in (\\S+) draws'", "shows = 'in draws'", "one pattern with one group"),
        ("within = 0.3", "within = -1", "'within' must be a number, 0 or above"),
        ('values = "rising"', 'values = "up"', "'values' must be rising or falling"),
        ('["two", ', '["one", ', "two items have the same text"),
        ("'^two +(\\S+)'", "'^two'", "must have one group"),
        ("[99-nearer]", "[99-nearer", "99.toml: "),
    ],
)
def test_a_file_that_is_written_wrongly_says_where(old, new, words):
    assert TEXT.count(old) == 1
    with pytest.raises(ValueError) as caught:
        read_chapter(TEXT.replace(old, new), "99.toml")
    assert words in str(caught.value) and str(caught.value).startswith("99.toml")


def test_an_order_is_shown_as_another_one():
    assert sorted(ORDER.shown) == sorted(text for text, _ in ORDER.items)
    assert ORDER.letters != "abcd"
    named = dict(zip("abcd", ORDER.shown))
    assert [named[letter] for letter in ORDER.letters] == ["one", "two", "three", "four"]


def test_the_book_has_predictions_of_each_kind():
    assert {each.kind for each in predictions().values()} == {"choice", "number", "order"}


@pytest.mark.parametrize("about", predictions().values(), ids=lambda about: about.id)
def test_the_books_own_are_plain_text(about):
    """Forms show no formulas; and what a form asks is one sentence, with its mark."""
    texts = [about.title, *(getattr(about, "ends", ()) if about.kind == "order" else ())]
    if about.kind == "choice":
        texts += [text for option in about.options for text in (option.text, option.because)]
        assert not any(option.text.endswith(".") for option in about.options)
        unused = [name for name in about.shows if not any(name in o.when for o in about.options)]
        assert unused == []
    assert not any("$" in text or "\\" in text for text in texts)
    assert about.title[-1] in "?."


@pytest.mark.parametrize(
    "about", [each for each in predictions().values() if each.kind == "number"], ids=lambda a: a.id
)
def test_the_middle_of_a_line_is_not_right(about):
    """There the knob begins: whoever moves nothing has foreseen nothing."""
    low, high = (
        (about.low, about.high) if not about.is_log else map(math.log, (about.low, about.high))
    )
    middle = (low + high) / 2 if not about.is_log else math.exp((low + high) / 2)
    assert not judge(about, str(round(middle) if about.is_whole else middle)).foreseen
