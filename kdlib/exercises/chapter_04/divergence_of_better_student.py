"""Two students, three outputs: which imitates better?"""

import math

from kdlib.exercises.authoring.kl import kl_of_numbers
from kdlib.exercises.kinds.numbers import number

_P = (0.7, 0.2, 0.1)
_A, _B = (0.6, 0.3, 0.1), (0.8, 0.1, 0.1)


@number(
    source=("Q18",),
    difficulty=2,
    minutes=6,
    decimals=4,
    unit="nats",
    prompt=(
        f"The teacher is P = {_P}. Student A answers {_A}, student B {_B}. Compute KL(P||A) and "
        "KL(P||B), decide which student imitates P better, and give its divergence."
    ),
    hints=(
        "Both students move 0.1 of probability; from where to where?",
        "Three terms each: P times the logarithm of P over the student. The third one is 0.",
        "For A: 0.7 log(0.7 / 0.6) + 0.2 log(0.2 / 0.3).",
    ),
    explanation=(
        f"B has {kl_of_numbers(_P, _B):.4f}: it halves the probability of the second output, and "
        "a halved probability costs more than a large one that is made somewhat smaller."
    ),
)
def divergence_of_better_student():
    """The smaller of KL(P||A) and KL(P||B), in nats."""
    a = 0.7 * math.log(0.7 / 0.6) + 0.2 * math.log(0.2 / 0.3) + 0.1 * math.log(0.1 / 0.1)
    b = 0.7 * math.log(0.7 / 0.8) + 0.2 * math.log(0.2 / 0.1) + 0.1 * math.log(0.1 / 0.1)
    return min(a, b)


divergence_of_better_student.mistakes(
    (
        "argmax-sign",
        kl_of_numbers(_P, _B),
        "the value belongs to the student that is further away",
        "the better imitation has the smaller divergence",
    ),
    (
        "kl-reversed",
        kl_of_numbers(_A, _P),
        "A's own probabilities are the weights",
        "the teacher's probabilities as weights",
    ),
    (
        "kl-reversed",
        kl_of_numbers(_B, _P),
        "B's own probabilities are the weights",
        "weights from the teacher, and the better of the two students",
    ),
    (
        "ce-called-kl",
        -sum(p * math.log(q) for p, q in zip(_P, _A)),
        "the value is what A needs on average; the teacher's own entropy is still in it",
        "a value that would be 0 for a perfect imitation",
    ),
    (
        "top-entry-only",
        _P[0] * math.log(_P[0] / _A[0]),
        "only the first output enters",
        "a sum in which the second output has a negative term",
    ),
    (
        "terms-clamped",
        sum(abs(p * math.log(p / q)) for p, q in zip(_P, _A)),
        "a negative term has been made positive",
        "terms with their signs",
    ),
    (
        "weights-missing",
        sum(math.log(p / q) for p, q in zip(_P, _A)),
        "the log-ratios are not weighed",
        "rare outputs matter less",
    ),
    (
        "mean-over-vocab",
        kl_of_numbers(_P, _A) / 3,
        "the sum is divided by the number of outputs",
        "a sum",
    ),
    (
        "divergences-mixed-up",
        sum(abs(p - q) for p, q in zip(_P, _A)) / 2,
        "probabilities are subtracted: that is total variation, where A and B are equally far",
        "logarithms of ratios",
    ),
)
