"""How large a skew KL can become."""

import math

from kdlib.exercises.kinds.numbers import number


@number(
    source=("Q21",),
    difficulty=2,
    minutes=4,
    decimals=3,
    unit="nats",
    prompt=(
        "The skew KL with alpha = 0.1 is KL(P||M) with M = 0.1 P + 0.9 Q. Which value can it never "
        "exceed, whatever P and Q are? Give the least such bound."
    ),
    hints=(
        "How small can M be, compared with P?",
        "M is at least 0.1 P everywhere, and it is exactly that where Q is 0.",
        "Take Q = 0 wherever P is not: every log-ratio is then the same.",
    ),
    explanation="A bounded loss is why a little of the teacher is mixed in: no batch can explode.",
)
def worst_skew_kl():
    """The largest value of the skew KL at alpha = 0.1, in nats."""
    return -math.log(0.1)


worst_skew_kl.mistakes(
    (
        "zero-log-zero",
        math.inf,
        "infinity is the bound of the plain KL",
        "what the share of the teacher in the mixture prevents",
    ),
    (
        "mixture-wrong",
        -math.log(0.9),
        "the share of the student is taken for that of the teacher",
        "what is left of P in the mixture where Q is 0",
    ),
    (
        "divergences-mixed-up",
        math.log(2),
        "that is the bound of the Jensen-Shannon divergence",
        "a bound that depends on alpha",
    ),
    (
        "weights-missing",
        10,
        "that is a ratio of probabilities",
        "the logarithm of such a ratio, averaged",
    ),
    (
        "weighted-twice",
        -0.1 * math.log(0.1),
        "the logarithm is weighed with alpha as well",
        "the weights are P alone, and they sum to 1",
    ),
)
