"""Memory: parameters times bytes, compared."""

from kdlib.exercises.kinds.functions import code


@code(
    source=("Q05",),
    difficulty=1,
    minutes=4,
    prompt=(
        "A server's model has to become small enough for a phone. Write `times_smaller(teacher, "
        "student)`: how many times less memory the student's parameters need. Each argument is a "
        "pair (number of parameters, bytes for each)."
    ),
    hints=(
        "Memory is a number of parameters times a number of bytes.",
        "Work out both sizes, then divide the larger by the smaller.",
        "Two ratios multiply: that of the parameters and that of the bytes.",
    ),
    explanation="Distillation and quantisation are independent, so their factors multiply.",
)
def times_smaller(teacher, student):
    """How many times less memory the student's parameters need than the teacher's. -> number"""
    return (teacher[0] * teacher[1]) / (student[0] * student[1])


times_smaller.probe("1.2 billion of 4 bytes, 60 million of 1", (1.2e9, 4), (60e6, 1))
times_smaller.probe("7 billion of 2 bytes, 1 billion of 2", (7e9, 2), (1e9, 2))
times_smaller.probe("half a byte each in the student", (3e9, 2), (5e8, 0.5))
times_smaller.probe("the same network in fewer bytes", (1e8, 4), (1e8, 1))


@times_smaller.also
def times_smaller_by_ratios(teacher, student):
    fewer, smaller = (t / s for t, s in zip(teacher, student))
    return fewer * smaller


@times_smaller.wrong(
    "precision-forgotten",
    seen="only the numbers of parameters are compared",
    expected="the bytes of each parameter count as well",
)
def times_fewer_parameters(teacher, student):
    return teacher[0] / student[0]


@times_smaller.wrong(
    "parameters-forgotten",
    seen="only the bytes for each parameter are compared",
    expected="the numbers of parameters count as well",
)
def times_fewer_bytes(teacher, student):
    return teacher[1] / student[1]


@times_smaller.wrong(
    "ratio-turned-round",
    seen="the student's size is divided by the teacher's",
    expected="a number above 1 when the student is smaller",
)
def times_larger(teacher, student):
    return (student[0] * student[1]) / (teacher[0] * teacher[1])


@times_smaller.wrong(
    "ratio-turned-round",
    seen="the two ratios work against each other",
    expected="both fewer parameters and fewer bytes make the student smaller",
)
def times_against_each_other(teacher, student):
    return (teacher[0] / student[0]) / (teacher[1] / student[1])


@times_smaller.wrong(
    "ratio-and-difference",
    seen="the result is a difference of sizes, in bytes",
    expected="a ratio, which does not change when both sizes double",
)
def bytes_saved(teacher, student):
    return teacher[0] * teacher[1] - student[0] * student[1]
