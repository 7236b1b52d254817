"""How much of the gap a weak supervisor lets a student recover."""

from kdlib.exercises.kinds.numbers import number


@number(
    source=("Q28",),
    difficulty=2,
    minutes=4,
    decimals=2,
    prompt=(
        "A weak supervisor makes errors on 28 % of a test set. A strong model trained on its "
        "supervision alone makes 16 % errors; the same strong model trained on human labels, "
        "which is the ceiling, 8 %. Which share of the performance gap was recovered (1 for all "
        "of it)?"
    ),
    hints=(
        "The gap lies between the weak supervisor and the ceiling.",
        "How far did the student come from the weak end, and how far could it have come?",
        "Divide one drop of the error rate by another; both start at 28 %.",
    ),
    explanation="0 means a copy of the weak model, 1 that human labels would have added nothing.",
)
def gap_recovered():
    """The share of the gap between weak supervisor and ceiling that the student closes."""
    weak, student, ceiling = 0.28, 0.16, 0.08
    return (weak - student) / (weak - ceiling)


gap_recovered.mistakes(
    (
        "gap-to-the-wrong-end",
        0.16 / 0.28,
        "the value is what is left of the supervisor's errors",
        "what was removed, measured on the gap",
    ),
    (
        "gap-to-the-wrong-end",
        (0.16 - 0.08) / (0.28 - 0.08),
        "the value is the part of the gap that is still open",
        "the part that was closed",
    ),
    (
        "gap-to-the-wrong-end",
        (0.28 - 0.16) / 0.28,
        "the gap is measured down to no errors at all, which the strong model never reaches",
        "a gap that ends at the ceiling",
    ),
    (
        "gap-to-the-wrong-end",
        (0.28 - 0.16) / (0.16 - 0.08),
        "what was closed is divided by what is still open",
        "a division by the whole gap",
    ),
    (
        "ratio-turned-round",
        (0.28 - 0.08) / (0.28 - 0.16),
        "the whole gap is divided by its part",
        "a share of at most 1",
    ),
    (
        "ratio-and-difference",
        0.28 - 0.16,
        "the value is the drop of the error rate itself",
        "the drop as a share of the gap",
    ),
    (
        "ratio-and-difference",
        (1 - 0.16) / (1 - 0.08),
        "accuracies are divided, and even a copy of the weak model would score high",
        "0 for a student that is no better than its supervisor",
    ),
)
