"""Two judges of predictions, one verdict: the page's script and Python are given the same answers."""

import itertools
import random
import sys
from pathlib import Path

import pytest
from website.predict_forms import data

sys.path.insert(0, str(Path(__file__).parents[1] / "exercises"))

from made_up_predictions import MADE_UP

from kdlib.exercises.predictions.data import predictions
from kdlib.exercises.predictions.judging import judge, read

pytestmark = pytest.mark.slow

PAGE = "04_kl_divergence.html"
ALL = [*predictions().values(), *MADE_UP.values()]
JUDGE = """([data, answers]) => answers.map((answer) => {
  const { said, problem } = predictions.read(data, answer);
  return said === undefined ? { problem } : { said, ...predictions.verdict(data, said) };
})"""
ODD = [
    "",
    " ",
    "z",
    "many",
    "nan",
    "inf",
    "-inf",
    "1e400",
    "1/3",
    "1,2.3",
    "12 %",
    "0,5",
    "1,000",
    "ä",
]
ODD += [
    "about 40",
    "~ 3",
    "= 0.57",
    "-0",
    "0",
    "1e-9",
    "3 draws",
    "3 stories",
    "78 of 100",
    "9**9**9",
]


def answers(about):
    if about.kind == "choice":
        return [*about.letters]
    if about.kind == "order":
        return [" ".join(order) for order in itertools.permutations(sorted(about.letters))]
    draw = random.Random(about.id)
    near = [about.right * by for by in (1, 0.5, 0.99, 1.01, 1.6, 1.5, 1 / 1.5, 2, 3, 1 / 3)]
    near += [about.right + step * (about.within or 1) for step in (-1, 1, -1.001, 1.001, 0.5)]
    near += [draw.uniform(about.low, about.high) for _ in range(20)]
    near += [about.low, about.high, about.low - 1, about.high + 1]
    return [*(f"{x:.{places}g}" for x in near for places in (1, 3, 6)), *map(repr, near), *ODD]


def python(about, answer):
    try:
        said = read(about, answer)
    except ValueError as error:
        return {"problem": str(error)}
    outcome = judge(about, said)
    return {"said": said, "foreseen": outcome.foreseen, "words": outcome.words}


def test_both_say_the_same(look):
    opened = look(PAGE)
    seen = []
    for about in ALL:
        given = answers(about)
        expected = [python(about, answer) for answer in given]
        found = opened.run(JUDGE, [data(about), given])
        differ = [each for each in zip(given, found, expected, strict=True) if each[1] != each[2]]
        assert differ[:3] == [], about.id
        seen += expected
    assert len(seen) > 500
    assert {each.get("foreseen") for each in seen} == {True, False, None}
    assert opened.complaints == []


def test_a_judge_with_another_measure_is_found_out(look):
    """Without this, a comparison that sees nothing would be green."""
    opened = look(PAGE)
    about = predictions()["04-draws"]
    given = answers(about)
    expected = [python(about, answer) for answer in given]
    assert opened.run(JUDGE, [data(about) | {"factor": 1.3}, given]) != expected


@pytest.mark.parametrize(
    "about", [a for a in ALL if a.kind == "number"], ids=lambda about: about.id
)
def test_the_line_goes_from_end_to_end_and_back(look, about):
    values = look(PAGE).run(
        "(data) => [...Array(101).keys()].map((place) => predictions.numberAt(data, place))",
        data(about),
    )
    assert (values[0], values[-1]) == (about.low, about.high)
    assert values == sorted(values)
    if about.is_whole:
        assert all(value == int(value) for value in values)
    if about.id in predictions():  # on the book's own lines some place is near enough
        assert any(judge(about, repr(value)).foreseen for value in values)
    places = look(PAGE).run(
        "([data, all]) => all.map((v) => predictions.placeOf(data, v))", [data(about), values]
    )
    apart = [abs(place - found) for place, found in enumerate(places) if len(set(values)) == 101]
    assert max(apart, default=0) <= 1
