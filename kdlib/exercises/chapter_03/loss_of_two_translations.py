"""Two training strategies compared by F2, where outputs differ in length."""

import math

from kdlib.exercises.kinds.numbers import number

# Probability and tokens of each translation; the loss of its tokens under "short" and "long".
_TRANSLATIONS = ((0.6, 4, 0.20, 0.36), (0.4, 10, 0.35, 0.22))


@number(
    source=("Q13",),
    difficulty=3,
    minutes=5,
    decimals=3,
    unit="nats",
    prompt=(
        "A teacher translates a sentence in 4 tokens with probability 0.6 and in 10 tokens with "
        "probability 0.4. Two training strategies are compared. Strategy *short* leaves the "
        "student with 0.20 nats at every token of the short translation and 0.35 at every token of "
        "the long one; strategy *long* with 0.36 and 0.22. Give F2 of *short* minus F2 of *long*, "
        "and mind what its sign says."
    ),
    hints=(
        "F2 needs the log-probability of each whole translation.",
        "The loss of a translation is the sum of its token losses.",
        "For each strategy two sums, each with the probability of its translation.",
    ),
    explanation=(
        "By F2 the strategy *long* wins, because the long translation brings more tokens. By the "
        "mean of the means *short* would win. Neither is a mistake; not to say which is."
    ),
)
def loss_of_two_translations():
    """F2 of strategy short minus F2 of strategy long, in nats."""
    short = 0.6 * (4 * 0.20) + 0.4 * (10 * 0.35)
    long = 0.6 * (4 * 0.36) + 0.4 * (10 * 0.22)
    return short - long


loss_of_two_translations.mistakes(
    (
        "mean-for-sum",
        sum(p * (short - long) for p, _, short, long in _TRANSLATIONS),
        "each translation enters with its mean token loss; length has no effect",
        "the loss of whole translations",
    ),
    (
        "mean-for-sum",
        loss_of_two_translations.value / sum(p * tokens for p, tokens, *_ in _TRANSLATIONS),
        "the value is divided by the average length: a loss for each token",
        "a loss for each output",
    ),
    (
        "weights-missing",
        sum(tokens * (short - long) for _, tokens, short, long in _TRANSLATIONS),
        "the sums are added without weights",
        "the teacher writes one of the two, and not equally often",
    ),
    (
        "weights-missing",
        sum(tokens * (short - long) for _, tokens, short, long in _TRANSLATIONS) / 2,
        "both translations weigh the same",
        "the teacher's probabilities as weights",
    ),
    (
        "hard-for-soft",
        4 * (0.20 - 0.36),
        "only the likelier translation enters",
        "both translations enter",
    ),
    (
        "top-entry-only",
        math.prod((0.6, 4, 0.20 - 0.36)),
        "one of two terms is there",
        "a term for each translation",
    ),
    (
        "whole-for-part",
        sum(p * tokens * short for p, tokens, short, _ in _TRANSLATIONS),
        "the value is the loss of one strategy",
        "a difference of two losses",
    ),
)
