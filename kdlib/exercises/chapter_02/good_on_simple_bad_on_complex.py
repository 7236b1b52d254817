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
            "The student: complex sentences need more parameters than it has, and simple ones hide "
            "that.",
            "capacity-blamed",
            seen="on the inputs that were seen this student is good; nobody has tried it on others",
            expected="a cause that separates seen from unseen inputs",
        ),
        wrong(
            "The teacher: it was never checked on complex sentences, and a student repeats its "
            "faults.",
            "teacher-blamed",
            seen="nobody has asked the teacher; nothing in training tests it there",
            expected="a cause that can be seen in the objective itself",
        ),
        right(
            "The sum: a term for complex sentences is missing, so any behaviour there is free of "
            "charge.",
            "What the sum does not hold the optimisation does not care about.",
        ),
        wrong(
            "The argmin: it settled early, where simple sentences are fitted and complex ones not "
            "yet.",
            "optimiser-blamed",
            seen="the loss on the training inputs is low, so the optimiser did its work",
            expected="a cause outside of the optimisation",
        ),
        wrong(
            "The loss: KL forgives the rare outputs, and complex sentences have more of these than "
            "simple ones.",
            "divergences-mixed-up",
            seen="no divergence is computed on inputs that the objective never holds",
            expected="a cause that comes before the choice of the loss",
        ),
    ),
)
