"""The objective on a data set of two inputs, by hand."""

import math

from kdlib.exercises.kinds.numbers import number


@number(
    source=("Q11",),
    difficulty=2,
    minutes=5,
    decimals=3,
    unit="nats",
    prompt=(
        "D' has two inputs. The teacher answers (0.5, 0.5) to the first and (0.9, 0.1) to the "
        "second. With its present parameters the student answers (0.6, 0.4) and (0.8, 0.2). What "
        "is the objective's value, with KL(P||Q) as the loss?"
    ),
    hints=(
        "One KL for each input.",
        "Each KL has two terms p ln(p / q), one of which is negative.",
        "0.5 ln(0.5/0.6) + 0.5 ln(0.5/0.4) for the first input; likewise the second; add.",
    ),
)
def objective_on_two_inputs():
    """The sum of two KL divergences, in nats."""
    teacher, student = ((0.5, 0.5), (0.9, 0.1)), ((0.6, 0.4), (0.8, 0.2))
    return sum(a * math.log(a / b) for p, q in zip(teacher, student) for a, b in zip(p, q))


_P, _Q = (0.5, 0.5, 0.9, 0.1), (0.6, 0.4, 0.8, 0.2)
_KL = sum(a * math.log(a / b) for a, b in zip(_P, _Q))
_CE = -sum(a * math.log(b) for a, b in zip(_P, _Q))

objective_on_two_inputs.mistakes(
    ("mean-for-sum", _KL / 2, "the value is the mean over the two inputs", "the sum over D'"),
    ("nats-for-bits", _KL / math.log(2), "the value is in bits", "natural logarithms"),
    (
        "ce-called-kl",
        _CE,
        "the value is the cross-entropy; a perfect student would not get 0",
        "a divergence: 0 for a perfect student",
    ),
    (
        "ce-called-kl",
        _CE / 2,
        "the value is the mean cross-entropy",
        "a divergence, summed over the inputs",
    ),
    (
        "kl-reversed",
        sum(b * math.log(b / a) for a, b in zip(_P, _Q)),
        "the student's probabilities are the weights",
        "the teacher's probabilities are the weights",
    ),
    (
        "hard-for-soft",
        -math.log(0.6) - math.log(0.8),
        "only one word for each input enters",
        "both words of each input enter",
    ),
)
