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
            "A is the better model: its loss is smaller.",
            "sum-for-mean",
            seen="sums of different lengths are compared; the longer text has more terms",
            expected="a comparison that length alone does not decide",
        ),
        wrong(
            "B is more likely as a sentence: its mean loss is smaller.",
            "mean-for-sum",
            seen="the probability of a whole sentence belongs to the sum, not to the mean",
            expected="mean and sum each used for the question it answers",
        ),
        right(
            "Token by token B does better (0.2 against 0.3); A's sum is smaller since its text is "
            "shorter. Compare on the same reference, and name the score.",
            "Ranking by sums favours short outputs: that is length bias.",
        ),
        wrong(
            "Neither can be compared: a loss has no meaning across two models.",
            "losses-incomparable",
            seen="losses in nats on the same text are comparable between models",
            expected="a statement about what these two numbers do say",
        ),
    ),
)
