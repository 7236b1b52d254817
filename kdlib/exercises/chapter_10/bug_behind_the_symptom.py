"""Which bug explains a loss of exactly 0."""

from kdlib.exercises.kinds.choices import choice, right, wrong

bug_behind_the_symptom = choice(
    "bug-behind-the-symptom",
    source=(),
    difficulty=3,
    minutes=4,
    prompt=(
        "From its first step on, a run logs a distillation loss of exactly 0. On validation text "
        "the student's loss is far above the teacher's, and it does not change. Neither does the "
        "teacher's. Which bug explains all of this?"
    ),
    hints=(
        "For each bug: would the loss be exactly 0? Would the models differ? Would anything move?",
        "A loss of 0 says that the two things compared are equal. Are the two models equal?",
        "The student exists and is bad; the loss does not know about it.",
    ),
    options=(
        wrong(
            "Teacher and student are one module, assigned and not copied.",
            "shared-module",
            seen="then both would have the same validation loss",
            expected="two models that differ",
        ),
        wrong(
            "The teacher is in training mode.",
            "teacher-in-train-mode",
            seen="dropout makes targets random, and a random target is never matched exactly",
            expected="a reason for a loss of exactly 0",
        ),
        wrong(
            "The factor T squared is missing.",
            "missing-t-squared",
            seen="that makes a loss smaller, not 0, and the student would still learn a little",
            expected="a reason why nothing moves",
        ),
        wrong(
            "The cached teacher rows are in another order than the batch.",
            "rows-shuffled",
            seen="then the loss would be large: the targets belong to other inputs",
            expected="a reason why the two sides agree",
        ),
        right(
            "The teacher's logits stand on both sides of the loss.",
            "A divergence of a thing from itself is 0, and no gradient reaches the student. The "
            "test for it: after backward(), every student parameter has a gradient that is not 0.",
        ),
        wrong(
            "The student's output was detached before the loss.",
            "student-gets-no-gradient",
            seen="then nothing moves, but the loss shows the distance between the models",
            expected="a reason for a loss of exactly 0 as well",
        ),
    ),
)
