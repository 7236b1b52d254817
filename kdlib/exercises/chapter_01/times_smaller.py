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
times_smaller.probe("no whole number of times", (1.7e9, 2), (6e8, 2))
times_smaller.probe("fewer parameters of more bytes", (5e9, 1), (1e9, 2))


@times_smaller.also
def times_smaller_by_ratios(teacher, student):
    fewer, smaller = (t / s for t, s in zip(teacher, student))
    return fewer * smaller


times_smaller.mistakes(
    ("precision-forgotten", "only the numbers of parameters are compared",
     "the bytes of each parameter count as well", lambda teacher, student: teacher[0] / student[0]),
    ("parameters-forgotten", "only the bytes for each parameter are compared",
     "the numbers of parameters count as well", lambda teacher, student: teacher[1] / student[1]),
    ("ratio-turned-round", "the student's size is divided by the teacher's",
     "a number above 1 when the student is smaller",
     lambda teacher, student: (student[0] * student[1]) / (teacher[0] * teacher[1])),
    ("ratio-turned-round", "the two ratios work against each other",
     "both fewer parameters and fewer bytes make the student smaller",
     lambda teacher, student: (teacher[0] / student[0]) / (teacher[1] / student[1])),
    ("ratio-and-difference", "the result is a difference of sizes, in bytes",
     "a ratio, which does not change when both sizes double",
     lambda teacher, student: teacher[0] * teacher[1] - student[0] * student[1]),
)  # fmt: skip
