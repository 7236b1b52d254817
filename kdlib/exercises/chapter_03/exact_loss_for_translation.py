"""F2 judged as the loss of a translation system."""

import math

from kdlib.exercises.kinds.choices import choice, right, wrong

exact_loss_for_translation = choice(
    "exact-loss-for-translation",
    source=("Q16",),
    difficulty=2,
    minutes=3,
    prompt=(
        "F2, as it stands, is proposed as the training loss of a translation system with 32,000 "
        "tokens and outputs of 20 tokens. What is the fairest judgement?"
    ),
    hints=(
        "Judge three things separately: what it costs, what it covers, what the user sees.",
        "How many terms has the sum? And how many translations of a sentence are good?",
        "A good goal need not be a loss that can be computed.",
    ),
    options=(
        wrong(
            f"Use it: 20 positions with 32,000 tokens each are {20 * 32_000:,} terms.",
            "growth-misjudged",
            seen="positions are added up; each token combines with all choices before it",
            expected="a number of outputs, not of tokens",
        ),
        wrong(
            "Drop it: a user sees one translation, so all other outputs are wasted effort.",
            "hard-for-soft",
            seen="what the user sees once is taken for all that the student should learn",
            expected="other translations that are good as well",
        ),
        right(
            "The right goal, for it credits every good translation by its probability; with "
            f"10^{round(20 * math.log10(32_000))} terms it must be estimated; what users see needs "
            "a check of its own.",
            "Coverage is its strength and cost its weakness; an average over outputs says little "
            "about the single one that is shown.",
        ),
        wrong(
            "Use it on short sentences: once the loss is low, the translations shown are correct.",
            "labels-for-teacher",
            seen="a low loss is read as correctness; it says that student and teacher agree",
            expected="what this loss compares the student with",
        ),
    ),
)
