"""How much of the gap to the teacher distillation closes."""

import math

from kdlib.exercises.kinds.numbers import number

_TEACHER, _STUDENT, _EQUAL_STEPS, _EQUAL_COMPUTE = 3.10, 3.35, 3.90, 3.70


@number(
    source=("Q05",),
    difficulty=2,
    minutes=4,
    decimals=2,
    prompt=(
        f"Losses on the test texts, in nats per token: teacher {_TEACHER:.2f}, distilled student "
        f"{_STUDENT:.2f}; the same student without a teacher {_EQUAL_STEPS:.2f} after as many "
        f"steps, and {_EQUAL_COMPUTE:.2f} after as many operations. Which fraction of the gap "
        "between the equal-steps control and the teacher does distillation close?"
    ),
    hints=(
        "0 would be no better than the control, 1 as good as the teacher.",
        "Two differences, both measured from the control.",
        "(control - student) / (control - teacher), with the control of equal steps.",
    ),
    explanation="Beside it belongs the same fraction for the control of equal compute.",
)
def share_of_the_gap():
    """The fraction of the gap from control to teacher that the student closes."""
    return (3.90 - 3.35) / (3.90 - 3.10)


_GAP = _EQUAL_STEPS - _TEACHER

share_of_the_gap.mistakes(
    (
        "unequal-budget",
        (_EQUAL_COMPUTE - _STUDENT) / (_EQUAL_COMPUTE - _TEACHER),
        "the value belongs to the control of equal compute",
        "the control of equal steps",
    ),
    (
        "argmax-sign",
        (_STUDENT - _TEACHER) / _GAP,
        "the value is the part of the gap that stays open; less of it would be better",
        "the part that is closed",
    ),
    (
        "perplexity-for-loss",
        math.expm1(_EQUAL_STEPS - _STUDENT) * math.exp(_STUDENT - _TEACHER) / math.expm1(_GAP),
        "the gaps are taken between perplexities",
        "gaps between losses in nats",
    ),
    (
        "whole-for-part",
        (_EQUAL_STEPS - _STUDENT) / _EQUAL_STEPS,
        "the gain is divided by the control's whole loss, which nobody can bring to 0",
        "a division by what there is to gain: the gap",
    ),
    (
        "whole-for-part",
        _TEACHER / _STUDENT,
        "two losses are divided; a student as bad as the control would still look good",
        "differences from the control",
    ),
    (
        "ratio-and-difference",
        _EQUAL_STEPS - _STUDENT,
        "the value is the gain in nats",
        "a fraction of the gap",
    ),
    (
        "ratio-turned-round",
        _GAP / (_EQUAL_STEPS - _STUDENT),
        "the value is above 1, as if the student had passed its teacher",
        "the gain over the whole gap, not the other way round",
    ),
)
