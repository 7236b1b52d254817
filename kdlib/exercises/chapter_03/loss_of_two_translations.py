"""F2 of outputs of different lengths."""

import math

from kdlib.exercises.kinds.numbers import number

_TRANSLATIONS = ((0.6, 4, 0.30), (0.4, 10, 0.25))  # probability, tokens, loss of each token


@number(
    source=("Q13",),
    difficulty=2,
    minutes=4,
    decimals=2,
    unit="nats",
    prompt=(
        "A teacher translates a sentence in 4 tokens with probability 0.6 and in 10 tokens with "
        "probability 0.4. A training strategy gives a student the token loss 0.30 at every token "
        "of the short translation and 0.25 at every token of the long one. What is its F2?"
    ),
    hints=(
        "F2 needs the log-probability of each whole translation.",
        "The loss of a translation is the sum of its token losses.",
        "Two sums, weighed with 0.6 and 0.4.",
    ),
    explanation=(
        "Length counts in F2: the long translation costs more although its tokens are better. A "
        "mean per token would reverse that; say which of the two is compared."
    ),
)
def loss_of_two_translations():
    """F2 of the two translations, in nats."""
    return 0.6 * (4 * 0.30) + 0.4 * (10 * 0.25)


loss_of_two_translations.mistakes(
    (
        "mean-for-sum",
        sum(p * loss for p, _, loss in _TRANSLATIONS),
        "each translation enters with its mean token loss; length has no effect",
        "the loss of whole translations",
    ),
    (
        "mean-for-sum",
        loss_of_two_translations.value / sum(p * tokens for p, tokens, _ in _TRANSLATIONS),
        "the value is divided by the average length: a loss for each token",
        "a loss for each output",
    ),
    (
        "weights-missing",
        sum(tokens * loss for _, tokens, loss in _TRANSLATIONS),
        "the two sums are added without weights",
        "the teacher writes one of the two, and not equally often",
    ),
    (
        "weights-missing",
        sum(tokens * loss for _, tokens, loss in _TRANSLATIONS) / 2,
        "both translations weigh the same",
        "the teacher's probabilities as weights",
    ),
    (
        "hard-for-soft",
        _TRANSLATIONS[0][1] * _TRANSLATIONS[0][2],
        "only the likelier translation enters",
        "both translations enter",
    ),
    (
        "top-entry-only",
        math.prod(_TRANSLATIONS[0]),
        "one of two terms is there",
        "a term for each translation",
    ),
)
