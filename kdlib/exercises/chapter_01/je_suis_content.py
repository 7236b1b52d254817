"""What a single string keeps silent about, in nats."""

import math

from kdlib.exercises.kinds.numbers import number


@number(
    source=("Q04",),
    difficulty=2,
    minutes=4,
    decimals=3,
    unit="nats",
    prompt=(
        "'Je suis content' becomes 'I am ___'. The teacher's next word is happy with probability "
        "0.60, glad 0.20, pleased 0.15, content 0.05. What is the entropy of this target, that is, "
        "what the single string 'I am happy' keeps silent about?"
    ),
    hints=(
        "Entropy is the expected surprise of the teacher at its own draws.",
        "Four terms, one for each word, each weighed with the word's probability.",
        "-(0.60 ln 0.60 + 0.20 ln 0.20 + ...)",
    ),
    explanation="The string alone calls glad and pleased as wrong as any nonsense.",
)
def je_suis_content():
    """Entropy of the teacher's target, in nats."""
    return -sum(p * math.log(p) for p in (0.60, 0.20, 0.15, 0.05))


_NEXT_WORD = (0.60, 0.20, 0.15, 0.05)
_ENTROPY = -sum(p * math.log(p) for p in _NEXT_WORD)

je_suis_content.mistakes(
    ("nats-for-bits", _ENTROPY / math.log(2), "the value is in bits", "natural logarithms"),
    (
        "nats-for-bits",
        _ENTROPY / math.log(10),
        "the logarithms are to base 10",
        "logarithms to base e",
    ),
    (
        "string-for-distribution",
        -math.log(0.60),
        "the value is the surprise of the one string",
        "the surprises of all words, each with its weight",
    ),
    (
        "top-entry-only",
        -0.60 * math.log(0.60),
        "the value is the term of happy alone",
        "the sum has a term for each word",
    ),
    (
        "term-left-out",
        _ENTROPY + 0.60 * math.log(0.60),
        "the term of happy itself is missing",
        "the sum runs over all words, the best one too",
    ),
    (
        "mean-over-vocab",
        _ENTROPY / 4,
        "the sum is divided by the number of words",
        "the probabilities are the weights; there is nothing more to divide by",
    ),
    (
        "flat-for-informative",
        math.log(4),
        "the value is that of four equally likely words",
        "less than the entropy of a uniform target",
    ),
    (
        "weights-missing",
        -sum(math.log(p) for p in _NEXT_WORD),
        "the surprises are added without weights",
        "a rare word's surprise counts rarely",
    ),
)
