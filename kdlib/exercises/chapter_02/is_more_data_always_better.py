"""What a larger and more diverse D' does to the loss."""

from kdlib.exercises.kinds.choices import choice, right, wrong

is_more_data_always_better = choice(
    "is-more-data-always-better",
    source=("Q10",),
    difficulty=2,
    minutes=3,
    prompt=(
        "True or false: a larger and more diverse D' always gives a better match and a lower "
        "final loss."
    ),
    hints=(
        "'Always' is a strong word. Look for one case that breaks it.",
        "Two claims are made: about the match in use, and about the loss in training.",
        "Think of a student that cannot fit everything, or an input that has lost what it needs.",
    ),
    options=(
        wrong(
            "True: more data give the optimiser more to work with.",
            "more-data-always-better",
            seen="nothing is said about a student that is too small for the diversity",
            expected="a case in which data are not what is missing",
        ),
        wrong(
            "False: the size and kind of D' do not matter, since the teacher supplies the targets.",
            "data-size-irrelevant",
            seen="the student is matched only where D' has inputs",
            expected="an answer in which data can help",
        ),
        wrong(
            "False: the final loss of any good optimiser is 0, whatever D' is.",
            "zero-loss-expected",
            seen="a limited student, or an input that lacks the context, cannot reach 0",
            expected="a least loss that depends on student and data",
        ),
        right(
            "False: it often helps in use, but a limited student must then compromise between more "
            "kinds of input, and its loss on them may rise.",
            (
                "Coverage and final loss are two things; the exercise blind-student-loss shows the "
                "second."
            ),
        ),
    ),
)
