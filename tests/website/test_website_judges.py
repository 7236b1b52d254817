"""Two judges, one verdict: the page's script and the Python checker are given the same answers.

Right answers, named wrong ones, the untouched stub, other ways to write them, and all of these with a
character too many, too few or changed.
"""

import itertools
import random
import sys
from pathlib import Path

import forms_page
import pytest
from forms_page import ALL, judged
from website.quizzes import as_data

sys.path.insert(0, str(Path(__file__).parents[1] / "exercises"))

from ways_of_writing import spellings, spellings_of_a_number

from kdlib.exercises.kinds.choices import LETTERS

pytestmark = pytest.mark.slow

CHANGES = 60  # answers of each exercise that are spoiled at one place
SIGNS = [
    *"0123456789abpqxV()[]+-*/^=.,;%'\"`$ \\~_|",
    "**",
    "log",
    "exp",
    " nats",
    "λ",
    "²",
    "−",
    "é",
    "\u00a0",
]
KINDS = {kind: [e for e in ALL if e.kind == kind] for kind in ("choice", "number", "derivation", "ordering")}  # fmt: skip
of_kind = lambda kind: pytest.mark.parametrize("e", KINDS[kind], ids=lambda e: e.id)  # noqa: E731


@pytest.fixture(scope="module")
def page(browser, tmp_path_factory):
    context = browser.new_context(offline=True)
    opened, complaints = context.new_page(), []
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.goto(forms_page.write(tmp_path_factory.mktemp("forms")).as_uri())
    yield opened
    assert complaints == []
    context.close()


def same(page, e, pairs):
    """Fails with the first answers on which the two judges differ. pairs: (as written, as handed in)."""
    pairs = list(pairs)
    found = judged(page, e, [written for written, _ in pairs])
    expected = [as_data(e.judge(answer)) for _, answer in pairs]
    differ = [
        (written, here, there)
        for (written, _), here, there in zip(pairs, found, expected, strict=True)
        if here != there
    ]
    assert differ[:3] == []
    return {verdict["outcome"] for verdict in expected}


def spoiled(texts, seed):
    """The texts, each with one character dropped, doubled, changed or added."""
    draw = random.Random(seed)
    for _ in range(CHANGES):
        text = draw.choice(texts)
        place, sign = draw.randrange(len(text) + 1), draw.choice(SIGNS)
        before, after = text[:place], text[place:]
        yield draw.choice([before + after[1:], before + sign + after, before + sign + after[1:], before + text])  # fmt: skip


@of_kind("choice")
def test_choices(page, e):
    letters = LETTERS[: len(e.options)]
    outcomes = same(page, e, [(None, ...), *((letter, letter) for letter in letters)])
    assert outcomes == {"correct", "wrong", "not attempted"}


@of_kind("number")
def test_numbers(page, e):
    text = f"{e.value:.{e.decimals}f}"
    texts = [t for t in spellings_of_a_number(text, e.value, e.unit) if isinstance(t, str)]
    numbers = [e.value, *(w.example for w in e.wrongs)]
    factors = (1, -1, 100, 0.01, 1.4426950408889634, 1.01, 1 / 3)
    slips = [repr(factor * number) for factor in factors for number in numbers]
    slips += [f"{number:.{places}f}" for places in range(5) for number in numbers]
    odd = [
        "1/3",
        "1,200",
        "25 %",
        "2/3 nats",
        "1/2/3",
        "one",
        "1,2.3",
        "1/0",
        "inf",
        "nan",
        "ln(10)",
    ]
    odd += [
        "600 apples",
        "1e400",
        "1_000",
        "9**9**9",
        "'",
        'it\'s "so"',
        "x" * 99,
        "1 000",
        "∞",
        "3 bits",
    ]
    answers = [*texts, *slips, *odd, *spoiled([*texts, *slips], e.id)]
    pairs = [(answer, answer) for answer in answers if answer.strip()]
    assert same(page, e, [("", ...), *pairs]) == {"correct", "wrong", "not attempted", "error"}


@of_kind("derivation")
def test_derivations(page, e):
    right = e.right_answers()[0]
    fillings = {place: known_for(e, place) for place in range(len(right))}
    answers = [*e.right_answers(), *(w.example for w in e.wrongs), [""] * len(right)]
    for place, known in fillings.items():
        others = [*known, *spoiled(known, f"{e.id} {place}"), *odd_fillings(e), "", "..."]
        answers += [[*right[:place], text, *right[place + 1 :]] for text in others]
    outcomes = same(page, e, [(answer, answer) for answer in answers])
    assert outcomes == {"correct", "wrong", "not attempted", "error"}


def known_for(e, place):
    """All fillings of a blank that the exercise knows, in many ways of writing, and beside its words."""
    known = [*e.blanks[place], *(text for blank, text in e.slips if blank == place + 1)]
    beside = [
        text
        for before, after in e.around(place + 1)
        for text in (
            f"{before} {known[0]}",
            f"{known[0]} {' '.join(after[:1])}",
            f"{before.upper()} {known[-1]}",
        )
    ]
    return [*(way for text in known for way in spellings(e, text)), *beside]


def odd_fillings(e):
    names = [*e.symbols, "x"]
    return [
        "whatever you like", "log(-1)", "1/0", "1/(0)", "0**-1", "9**9**9**9", "sqrt(-1)", "2 3", "(", "log",
        f"log(-{names[0]})", f"1/({names[0]} - {names[0]})", f"{names[0]} {names[-1]}", f"1/2 {names[0]}",
        f"{names[0]}**0.5", f"(-{names[0]})**0.5", f"e**{names[0]}", f"pi {names[0]}²", f"log {names[0]}",
        f"math.exp({names[0]})", f"f({names[0]})", "KL(Q ‖ P)", "KL(P | | Q)", "Reverse-KL", "the  up", "3",
    ]  # fmt: skip


@of_kind("ordering")
def test_orderings(page, e):
    orders = map("".join, itertools.permutations(e.letters))
    outcomes = same(page, e, [(None, ...), *((order, order) for order in orders)])
    assert outcomes == {"correct", "wrong", "not attempted"}


def test_every_kind_is_there():
    assert {kind: len(found) for kind, found in KINDS.items() if len(found) < 2} == {}


def test_a_judge_with_other_rules_is_found_out(page):
    """Without this, a comparison that sees nothing would be green."""
    e = next(e for e in KINDS["derivation"] if e.id == "noise-and-lambda")
    answer = ["`up`", *e.right_answers()[0][1:]]
    page.evaluate("() => { Exercises.rules.spellings.around = ''; }")
    try:
        with pytest.raises(AssertionError):
            same(page, e, [(answer, answer)])
    finally:
        page.reload()
    same(page, e, [(answer, answer)])
