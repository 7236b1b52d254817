"""A student that fails where its inputs are not simple."""

from kdlib.exercises.kinds.choices import choice, right, wrong

good_on_simple_bad_on_complex = choice(
    "good-on-simple-bad-on-complex",
    source=("Q09",),
    difficulty=2,
    minutes=3,
    prompt=(
        "A student was trained by the objective on simplified sentences only. It matches its "
        "teacher on those and fails on complex sentences. Which part of the objective is the "
        "likeliest cause?"
    ),
    hints=(
        "List the parts: the sum, the teacher, the student, the loss, the argmin.",
        "The argmin did its work on every input that it was given.",
        "Which part decides on which inputs a mismatch costs anything?",
    ),
    options=(
        wrong(
            "The student's parameters: it is too small.",
            "capacity-blamed",
            seen="on the inputs that were seen this student is good, which a too small one is not",
            expected="a cause that separates seen from unseen inputs",
        ),
        wrong(
            "The teacher: it cannot handle complex sentences.",
            "teacher-blamed",
            seen="nobody has asked the teacher; nothing in training tests it there",
            expected="a cause that can be seen in the objective itself",
        ),
        right(
            "The sum: it runs over simplified inputs, so a mismatch on complex ones costs nothing.",
            "What the sum does not hold the optimisation does not care about.",
        ),
        wrong(
            "The argmin: the optimiser stopped too early.",
            "optimiser-blamed",
            seen="the loss on the training inputs is low, so the optimiser did its work",
            expected="a cause outside of the optimisation",
        ),
    ),
)
