"""Sums and means of losses on texts of different lengths."""

from kdlib.exercises.kinds.choices import choice, right, wrong

two_translation_strategies = choice(
    "two-translation-strategies",
    source=("Q13",),
    difficulty=3,
    minutes=4,
    prompt=(
        "Two strategies for a translation model are compared on the same source sentence. "
        "Strategy A gives its 4-word translation token losses with sum 1.2. Strategy B gives its "
        "10-word translation token losses with sum 2.0. What may be concluded?"
    ),
    hints=(
        "What happens to a sum when a sentence gets longer?",
        "Work out both means.",
        "The two scores answer different questions: about a whole sentence, and about one token.",
    ),
    options=(
        wrong(
            "A is the better strategy: its sum is smaller, so its model finds its own translation "
            "less surprising.",
            "sum-for-mean",
            seen="sums of different lengths are compared; the longer text has more terms",
            expected="a comparison that length alone does not decide",
        ),
        right(
            "Per token B is less surprised, as a whole A's text is the more probable: two texts, "
            "two questions, no winner yet.",
            "The means are 0.3 and 0.2. To decide, score one and the same reference with both, and "
            "name the score: ranking by sums favours short outputs, which is length bias.",
        ),
        wrong(
            "B gives its sentence the higher probability: its mean loss is smaller, and means are "
            "fair to any length.",
            "mean-for-sum",
            seen="the probability of a whole sentence belongs to the sum, not to the mean",
            expected="mean and sum each used for the question it answers",
        ),
        wrong(
            "Nothing at all: a loss in nats means something within one model and one text, and never "
            "across two of either kind.",
            "losses-incomparable",
            seen="losses in nats on the same text are comparable between models",
            expected="a statement about what these two numbers do say",
        ),
    ),
)
