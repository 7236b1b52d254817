"""How long outputs may be if all of them are to be summed over."""

import math

from kdlib.exercises.authoring.rules import matches
from kdlib.exercises.kinds.functions import code


@code(
    source=("Q16", "Q17"),
    difficulty=1,
    minutes=4,
    prompt=(
        "Write `longest_that_fits(vocabulary, terms)`: outputs of exactly L tokens are to be "
        "summed over, each token from `vocabulary` many (2 or more). What is the largest L for "
        "which the sum of F2 has at most `terms` terms? Both arguments are integers, and terms is "
        "at least 1."
    ),
    hints=(
        "How many outputs of 1 token are there, of 2 tokens, of 3?",
        "One more token multiplies the number of outputs by the size of the vocabulary.",
        "Count L up as long as vocabulary ** (L + 1) is not above terms.",
    ),
    explanation="With 32,000 tokens and a million terms the exact sum ends after one token.",
)
def longest_that_fits(vocabulary, terms):
    """The largest L for which the sum over all outputs of L tokens has at most `terms` terms."""
    length = 0
    while vocabulary ** (length + 1) <= terms:
        length += 1
    return length


for _vocabulary, _terms in ((2, 1000), (5, 10**6), (32_000, 10**12), (50, 10), (7, 50), (3, 11)):
    longest_that_fits.probe(f"{_vocabulary} words, {_terms} terms", _vocabulary, _terms)
longest_that_fits.probe("2 words, 1024 terms: it fits exactly", 2, 1024)
for _vocabulary, _terms in ((10, 1000), (3, 243), (15, 3375)):
    longest_that_fits.probe(
        f"{_vocabulary} words, {_terms} terms: it fits exactly, and a logarithm is rounded",
        _vocabulary,
        _terms,
        points_to="float-logarithm",
        expected="a whole number, worked out exactly",
    )


@longest_that_fits.symptom(
    "float-logarithm",
    seen="the result is not a whole number",
    expected="a length: so many tokens and no fraction of one",
)
def _(results):
    return any(float(result) % 1 > 1e-9 for result in results.values())


longest_that_fits.symptom(
    "argument-ignored",
    seen="the result is the same for every vocabulary: it counts digits of a fixed base",
    expected="the vocabulary as the base",
)(
    matches(
        longest_that_fits,
        *(lambda _, terms, base=base: longest_that_fits.reference(base, terms) for base in (2, 10)),
        *(
            lambda _, terms, base=base: math.floor(math.log(terms, base))
            for base in (2, math.e, 10)
        ),
    )
)


@longest_that_fits.also
def longest_by_division(vocabulary, terms):
    length = 0
    while terms >= vocabulary:
        terms, length = terms // vocabulary, length + 1
    return length


@longest_that_fits.wrong(
    "growth-misjudged",
    seen="each token is taken to add as many terms as there are words",
    expected="each token multiplies the number of terms",
)
def longest_linear(vocabulary, terms):
    return terms // vocabulary


@longest_that_fits.wrong(
    "growth-misjudged",
    seen="a larger vocabulary is treated like a longer output: base and exponent are exchanged",
    expected="as many factors as the output has tokens",
)
def longest_power_of_length(vocabulary, terms):
    length = 0
    while (length + 1) ** vocabulary <= terms:
        length += 1
    return length


@longest_that_fits.wrong(
    "off-by-one",
    seen="the result is the first length that no longer fits",
    expected="the last length that does",
)
def longest_plus_one(vocabulary, terms):
    return longest_that_fits.reference(vocabulary, terms) + 1


@longest_that_fits.wrong(
    "off-by-one",
    seen="a length whose terms fit exactly is refused",
    expected="at most so many terms, and not fewer",
)
def longest_strictly(vocabulary, terms):
    return longest_that_fits.reference(vocabulary, terms - 1)


@longest_that_fits.wrong(
    "whole-for-part",
    seen="the outputs of all shorter lengths are counted as well",
    expected="outputs of exactly L tokens",
)
def longest_of_prefixes(vocabulary, terms):
    length, count = 0, vocabulary
    while count <= terms:
        length += 1
        count += vocabulary ** (length + 1)
    return length


@longest_that_fits.wrong(
    "float-logarithm",
    seen="right but where a power is met exactly: there a rounded logarithm falls below it",
    expected="integers, which are not rounded",
)
def longest_by_logarithm(vocabulary, terms):
    return math.floor(math.log(terms) / math.log(vocabulary))
