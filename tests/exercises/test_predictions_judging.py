"""What a reader may say, and what becomes of it."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from made_up_predictions import DRAWS, MADE_UP, NEARER, ORDER, SHARE

from kdlib.exercises.predictions.judging import judge, read


@pytest.mark.parametrize("answer", ["b", "B", "(b)", " b. ", "B", ["b"]])
def test_an_option_is_named_in_many_ways(answer):
    assert read(NEARER, answer) == "b"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (1000, "1000"), ("1000", "1000"), ("1,000", "1,000"), (" about 1000 ", "about 1000"),
        ("1e3", "1e3"), ("1000 draws", "1000 draws"), (1 / 3 + 1, "1.33333"), (np.float32(40), "40"),
        (torch.tensor(40.0), "40"), ("2000/3", "2000/3"), ("0" * 50 + "40", "40"),
    ],
)  # fmt: skip
def test_a_number_is_kept_as_it_was_written(answer, said):
    assert read(DRAWS, answer) == said
    assert judge(DRAWS, said) is not None


@pytest.mark.parametrize("answer", ["b c a d", "bcad", "B, C, A, D", "b > c > a > d", list("bcad")])
def test_an_order_is_written_in_many_ways(answer):
    assert read(ORDER, answer) == "b c a d"


ODD = ["", " ", "z", "many", "nan", float("nan"), 1e400, "1e400", "-inf", True, [], {}, "a a", "0"]
ODD += ["ä", "\x00", "9" * 10_000, "b b c a", "a b c d e", [1, 2], "1.2.3", "9**9**9**9"]


@pytest.mark.parametrize("about", [NEARER, DRAWS, ORDER], ids=lambda about: about.id)
@pytest.mark.parametrize("answer", ODD, ids=lambda answer: repr(answer)[:20])
def test_what_is_no_answer_is_refused_in_one_line(about, answer):
    with pytest.raises(ValueError) as caught:
        read(about, answer)
    assert str(caught.value) and "\n" not in str(caught.value) and len(str(caught.value)) < 200


@pytest.mark.parametrize("about", MADE_UP.values(), ids=lambda about: about.id)
@pytest.mark.parametrize("said", ["", "z", "many", "nan", "99999999", "a b"])
def test_what_is_kept_of_another_question_is_as_if_nothing_was(about, said):
    assert judge(about, said) is None


def test_a_wrong_option_says_what_it_shows():
    assert judge(NEARER, "a").words == "You foresaw it: A."
    assert judge(NEARER, "b").words == "You said: B. It is: A. B is only `larger`."
    assert judge(NEARER, "c").words == "You said: neither. It is: A."


@pytest.mark.parametrize(
    ("said", "foreseen"),
    [
        ("1112", True),
        ("1,668", True),
        ("1,669", False),
        ("742", True),
        ("741", False),
        ("1", False),
    ],
)
def test_a_factor_reaches_as_far_both_ways(said, foreseen):
    outcome = judge(DRAWS, said)
    assert outcome.foreseen is foreseen
    how = (
        "That is within a factor of 1.5"
        if foreseen
        else "Within a factor of 1.5 counts as foreseen"
    )
    assert outcome.words == f"You said {said}; it is 1,112 draws. {how}."


@pytest.mark.parametrize(
    ("said", "foreseen"),
    [
        ("19.2", True),
        ("19.8 %", True),
        ("19.81", False),
        ("19", False),
        ("-5", False),
        ("0.195", False),
    ],
)
def test_a_distance_reaches_as_far_both_ways(said, foreseen):
    outcome = judge(SHARE, said)
    assert outcome.foreseen is foreseen
    assert outcome.words.startswith(f"You said {said}; it is 19.5 %. ")


def test_one_order_is_foreseen():
    found = {"".join(o): judge(ORDER, " ".join(o)) for o in itertools.permutations("abcd")}
    assert [order for order, outcome in found.items() if outcome.foreseen] == [ORDER.letters]
    assert found[ORDER.letters].words == "You foresaw it: one, then two, then three, then four."
    assert found["abcd"].words.startswith(f"You said: {', then '.join(ORDER.shown)}. It is: one,")


@given(st.one_of(st.text(), st.floats(), st.integers(), st.none(), st.lists(st.text())))
def test_whatever_is_said_is_read_or_refused(answer):
    """And what is read is judged."""
    for about in MADE_UP.values():
        try:
            said = read(about, answer)
        except ValueError:
            continue
        assert judge(about, said) is not None
