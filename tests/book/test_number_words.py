"""The rules of small numbers and number words, one by one."""

import pytest
from gates import claims, number_words

CLAIMED = {
    "seven of ten seeds": {"seven of ten"},
    "right 19 times in 20": {"19 times in 20"},
    "one in ten": {"one in ten"},
    "half as many again": {"half as many again"},
    "half again": {"half again"},
    "twice as large, and it doubles": {"twice", "doubles"},
    "Half of it, half the cost": {"Half", "half"},
    "a third of the mass, two thirds": {"a third", "two thirds"},
    "a fifth less": {"a fifth"},
    "nine times weaker, tenfold, a factor of 4": {"nine times", "tenfold", "factor of 4"},
    "at least seven, up to twenty-one": {"at least seven", "up to twenty-one"},
    "about 20 and more than a hundred": {"about 20", "more than a hundred"},
    "ten nats, 5 per cent, 20 draws, 8-bit": {"ten", "5", "20", "8"},
    "a hundred thousand strings": {"a hundred thousand"},
}
NOT_CLAIMED = [
    "two students, three words and 7 seeds",
    "the third student, a third student, a fifth column",
    "one of two, at most one, the first half of the chapter",
    "It pays twice, and once more.",
    r"$T \\approx 2$, `about 3`, about 2.5 and about 300",
    "see section 4.1, chapters 2 and 3",
    "**Time**: about 40 min with the exercises.",
]
SUPPORTED = [
    ("seven of ten", "7 of 10"),
    ("seven of ten", "0.70"),
    ("seven of ten", "71%, no: 70 %"),
    ("a third of it", "0.333"),
    ("a third of it", "33.4 %"),
    ("twice as much", "ratio 1.96"),
    ("twice as much: 3.1 against 6.3", ""),
    ("half the loss", "0.502"),
    ("half as many again", "1.5"),
    ("half as many again, 14.8 and 10", ""),
    ("nine times weaker", "9"),
    ("nine times weaker, 0.182 and 0.0197", ""),
    ("at least seven", "7"),
    ("a hundred draws", "100"),
]
NOT_SUPPORTED = [
    ("seven of ten", "7 of 12"),
    ("a third of it", "0.36"),
    ("twice as much", "2"),
    ("twice as much: 3.1 against 7.3", ""),
    ("half as many again", "2"),
    ("nine times weaker", "8"),
    ("at least seven", "6.9"),
    ("a hundred draws", "101"),
]


def said(text):
    return [each for part in number_words.paragraphs(text) for each in number_words.spoken(part)]


def is_supported(text, output):
    computed = claims.numbers(output)
    return all(number_words.supported(each, text, computed, []) for each in said(text))


@pytest.mark.parametrize("text", CLAIMED)
def test_what_is_a_claim(text):
    assert {each.text for each in said(text)} == CLAIMED[text]


@pytest.mark.parametrize("text", NOT_CLAIMED)
def test_what_is_none(text):
    assert said(text) == []


@pytest.mark.parametrize(("text", "output"), SUPPORTED)
def test_an_output_or_the_paragraph_supports_a_claim(text, output):
    assert is_supported(text, output)


@pytest.mark.parametrize(("text", "output"), NOT_SUPPORTED)
def test_another_number_does_not(text, output):
    assert not is_supported(text, output)


def test_code_supports_a_number_and_no_ratio_of_two():
    given = claims.numbers("2, 7")
    (seven,), (twice,) = said("at least seven"), said("twice as much")
    assert number_words.supported(seven, "", [], given)
    assert not number_words.supported(twice, "", [], given)


@pytest.mark.parametrize(
    ("text", "value"),
    [("7", 7), ("seven", 7), ("twenty-one", 21), ("a hundred", 100), ("ten thousand", 10_000)],
)
def test_the_value_of_words(text, value):
    assert number_words.value(text) == value
