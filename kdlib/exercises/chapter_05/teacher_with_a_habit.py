"""What to change first when the student copies an error."""

from kdlib.exercises.kinds.choices import choice, right, wrong

teacher_with_a_habit = choice(
    "teacher-with-a-habit",
    source=("Q25",),
    difficulty=2,
    minutes=3,
    prompt=(
        "After distillation with F6 the student repeats a systematic error of its teacher. The "
        "labels do not contain it. What do you change first?"
    ),
    hints=(
        "Which term of F6 asks for the error, and which speaks against it?",
        "lambda multiplies the term with the teacher in it.",
        "Ask where the closed form of the best student goes at lambda 0.",
    ),
    options=(
        wrong(
            "Raise lambda, so that the student gets more guidance.",
            "lambda-direction",
            seen="more weight goes to the term that asks for the error",
            expected="more weight for the source that is right",
        ),
        right(
            "Lower lambda and look at the validation score again.",
            "The error arrives with the share lambda / (1 + lambda), so this is the direct lever.",
        ),
        wrong(
            "In a program that minimises (1 - alpha) CE + alpha KD, raise alpha: there the "
            "direction is the opposite.",
            "conventions-mixed",
            seen="alpha weighs the teacher's term just as F6's coefficient does",
            expected="a look at which term each coefficient multiplies",
        ),
        wrong(
            "Take a larger student: a small one is too weak to resist the error.",
            "capacity-blamed",
            seen="a larger student would copy the error more exactly",
            expected="a change to what is asked of the student",
        ),
        wrong(
            "Raise the temperature until the error disappears in the softened distribution.",
            "flat-for-informative",
            seen="softening hides the teacher's knowledge together with its error",
            expected="a change that shifts trust from one source to the other",
        ),
    ),
)
