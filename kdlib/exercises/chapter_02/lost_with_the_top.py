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
        wrong(
            "Nothing that matters: the student is right as often as before, and a user reads the "
            "best answer only.",
            "top-1-for-match",
            seen="two students with the same best word can differ in everything else",
            expected="a look at what is sampled, and at doubtful cases",
        ),
        right(
            "What else would have done, and how nearly: without it the student has no measure of "
            "its own doubt.",
            "Doubt and similarity live in the part of the distribution that the one-hot throws "
            "away.",
        ),
        wrong(
            "The ground truth: the soft distribution holds what a person would have said, and the "
            "one-hot loses it.",
            "labels-for-teacher",
            seen="neither the soft nor the hard target contains a human's label",
            expected="something that was in the teacher's distribution",
        ),
        wrong(
            "The teacher's parameters: enough soft distributions give them away, while one-hots "
            "never do.",
            "parameters-copied",
            seen="a student needs no parameters of its teacher, whatever its targets are",
            expected="something about outputs",
        ),
    ),
)
