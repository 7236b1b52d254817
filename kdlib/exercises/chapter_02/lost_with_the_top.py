"""What a student no longer learns from hard targets."""

from kdlib.exercises.kinds.choices import choice, right, wrong

lost_with_the_top = choice(
    "lost-with-the-top",
    source=("Q08",),
    difficulty=2,
    minutes=2,
    prompt=(
        "In the objective each teacher distribution is replaced by the one-hot of its top "
        "prediction. What does the student no longer learn, and why does it matter?"
    ),
    hints=(
        "What do two teachers have in common that share the top word and nothing else?",
        "Hard targets call all other words equally wrong.",
        "The student samples from its whole distribution when it is used.",
    ),
    options=(
        right(
            "How likely the alternatives are, relative to the top and to each other: so it cannot "
            "know how sure to be, nor what else would do.",
            (
                "Doubt and similarity live in the part of the distribution that the one-hot throws "
                "away."
            ),
        ),
        wrong(
            "Nothing that matters: in the end a user sees only the best answer.",
            "top-1-for-match",
            seen="two students with the same best word can differ in everything else",
            expected="a look at what is sampled, and at doubtful cases",
        ),
        wrong(
            "The ground truth, which the soft distribution contained.",
            "labels-for-teacher",
            seen="neither the soft nor the hard target contains a human's label",
            expected="something that was in the teacher's distribution",
        ),
        wrong(
            "The teacher's parameters, which could be read off the soft distribution.",
            "parameters-copied",
            seen="no distribution over words gives parameters away",
            expected="something about outputs",
        ),
    ),
)
