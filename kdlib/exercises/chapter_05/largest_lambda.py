"""How much of a teacher's habit one lambda lets through."""

from kdlib.exercises.kinds.numbers import number


@number(
    source=("Q25",),
    difficulty=3,
    minutes=4,
    decimals=2,
    prompt=(
        "The labels are right; the teacher has a habit: in a certain place it gives 0.30 to a word "
        "that no label ever has there. The student is trained to the optimum of F6. What is the "
        "largest lambda for which it gives that word at most 0.05?"
    ),
    hints=(
        "What share of the teacher's opinion arrives in the best student?",
        "The label's probability of the word is 0; use the closed form of the best student.",
        "Solve 0.30 lambda / (1 + lambda) = 0.05.",
    ),
    explanation="No lambda above 0 removes the habit; a smaller one makes it weaker.",
)
def largest_lambda():
    """The lambda at which the habit arrives with just the allowed probability."""
    habit, allowed = 0.30, 0.05
    return allowed / (habit - allowed)


largest_lambda.mistakes(
    (
        "conventions-mixed",
        0.05 / 0.30,
        "the value is a share between 0 and 1 of the teacher, not F6's coefficient",
        "the coefficient that belongs to this share",
    ),
    (
        "lambda-direction",
        0.25 / 0.05,
        "with this value the teacher has most of the influence",
        "a value at which the labels have most of it",
    ),
    (
        "ratio-and-difference",
        0.30 - 0.05,
        "the value is the difference of the two probabilities",
        "something that stays the same when both probabilities are doubled",
    ),
    (
        "ratio-turned-round",
        0.30 / 0.05,
        "the value says how many times too large the teacher's probability is",
        "a coefficient that shrinks when less of the habit is allowed",
    ),
    (
        "labels-for-teacher",
        0.0,
        "the teacher is switched off, which the task does not ask for",
        "the largest lambda that is still allowed",
    ),
)
