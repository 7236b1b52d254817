"""From agreement with noisy labels to accuracy."""

from kdlib.exercises.kinds.numbers import number


@number(
    source=("Q27",),
    difficulty=3,
    minutes=5,
    decimals=2,
    prompt=(
        "Of three classes the validation labels name a wrong one with probability 0.3, each of the "
        "two equally often and whatever the student does. The student agrees with 59% of them. "
        "How often is it right?"
    ),
    hints=(
        "Agreement with a label has two causes: both are right, or both are wrong alike.",
        "A wrong student meets a wrong label with probability 0.3 / 2.",
        "Solve 0.7 a + 0.15 (1 - a) = 0.59 for a.",
    ),
    explanation="Labels are kept more often than mistaken for one class, so rankings survive.",
)
def accuracy_behind_the_noise():
    """The accuracy on true labels that explains the agreement with noisy ones."""
    agreement, kept, hit = 0.59, 0.7, 0.3 / 2
    return (agreement - hit) / (kept - hit)


accuracy_behind_the_noise.mistakes(
    (
        "validated-on-noise",
        0.59,
        "the noisy labels are taken at their word",
        "a value that allows for the label being wrong",
    ),
    (
        "term-left-out",
        0.59 / 0.7,
        "a wrong student is supposed never to agree with a wrong label",
        "both ways in which student and label can agree",
    ),
    (
        "ratio-and-difference",
        0.59 + 0.3,
        "the rate of the noise is added, as if every wrong label had cost a right answer",
        "something that cannot exceed 1 for a student that is always right",
    ),
    (
        "noise-keeps-label",
        (0.59 - 0.1) / (0.7 - 0.1),
        "the replacements are spread over all three classes",
        "a replacement by one of the two others",
    ),
    (
        "complement-for-rate",
        1 - (0.59 - 0.15) / (0.7 - 0.15),
        "the value is the share of wrong answers",
        "the share of right answers",
    ),
    (
        "rest-not-renormalised",
        (0.59 - 0.3) / (0.7 - 0.3),
        "a wrong student meets the wrong label always, though there are two wrong classes",
        "half of that chance",
    ),
)
