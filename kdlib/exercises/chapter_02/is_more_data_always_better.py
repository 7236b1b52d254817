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
            "True: every further input is one more constraint on the student, so both the match "
            "and the loss can only improve.",
            "more-data-always-better",
            seen="nothing is said about a student that is too small for the diversity",
            expected="a case in which data are not what is missing",
        ),
        wrong(
            "False: size and kind of D' hardly matter, since the teacher supplies the targets "
            "whatever the inputs are.",
            "data-size-irrelevant",
            seen="the student is matched only where D' has inputs",
            expected="an answer in which data can help",
        ),
        right(
            "False: a limited student must compromise between kinds of input; its loss over them may "
            "rise while use improves.",
            "Coverage and final loss are two things; what becomes of either depends on the student "
            "and on the inputs of use.",
        ),
        wrong(
            "False: the match improves, but the loss stays, since a good optimiser brings it to 0 "
            "for any D' that it is given.",
            "zero-loss-expected",
            seen="a limited student, or an input that lacks the context, cannot reach 0",
            expected="a least loss that depends on student and data",
        ),
    ),
)
