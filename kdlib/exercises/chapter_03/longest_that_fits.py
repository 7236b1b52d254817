"""How long outputs may be if all of them are to be summed over."""

import itertools
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


for _vocabulary, _terms in (
    (2, 1000), (5, 10**6), (32_000, 10**12), (50, 10), (7, 50), (3, 11), (50, 7), (9, 1),
    (2, 10**12),
):  # fmt: skip
    longest_that_fits.probe(f"{_vocabulary} words, {_terms} terms", _vocabulary, _terms)
longest_that_fits.probe("2 words, 1024 terms: it fits exactly", 2, 1024)
for _vocabulary, _terms, _how in (
    *((base, power, "it fits exactly") for base, power in ((10, 1000), (3, 243), (15, 3375))),
    (1000, 10**15 - 1, "one term is wanting"),
):
    longest_that_fits.probe(
        f"{_vocabulary} words, {_terms} terms: {_how}, and a logarithm is rounded",
        *(_vocabulary, _terms),
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
        *(lambda _, terms, b=b: math.floor(math.log(terms, b)) for b in (2, math.e, 10)),
    )
)


@longest_that_fits.also
def longest_by_division(vocabulary, terms):
    length = 0
    while terms >= vocabulary:
        terms, length = terms // vocabulary, length + 1
    return length


def _last(fits):
    """The last length before the first that does not fit. fits(vocabulary, length, terms)"""
    return lambda vocabulary, terms: next(
        n for n in itertools.count() if not fits(vocabulary, n + 1, terms)
    )


longest_that_fits.mistakes(
    ("growth-misjudged", "each token is taken to add as many terms as there are words",
     "each token multiplies the number of terms", lambda vocabulary, terms: terms // vocabulary),
    ("growth-misjudged",
     "a larger vocabulary is treated like a longer output: base and exponent are exchanged",
     "as many factors as the output has tokens", _last(lambda v, n, terms: n**v <= terms)),
    ("off-by-one", "the result is the first length that no longer fits",
     "the last length that does",
     lambda vocabulary, terms: longest_that_fits.reference(vocabulary, terms) + 1),
    ("off-by-one", "a length whose terms fit exactly is refused",
     "at most so many terms, and not fewer", _last(lambda v, n, terms: v**n < terms)),
    ("whole-for-part", "the outputs of all shorter lengths are counted as well",
     "outputs of exactly L tokens",
     _last(lambda v, n, terms: sum(v**k for k in range(1, n + 1)) <= terms)),
    ("float-logarithm", "right but at a power or next to it: there a logarithm is rounded",
     "integers, which are not rounded",
     lambda vocabulary, terms: math.floor(math.log(terms) / math.log(vocabulary))),
)  # fmt: skip
