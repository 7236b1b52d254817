"""The loss of two words out of four."""

from kdlib.exercises.kinds.numbers import number


@number(
    source=("Q12",),
    difficulty=1,
    minutes=3,
    decimals=2,
    unit="nats",
    prompt=(
        "The token losses of 'The quick brown fox' are 0.1, 0.3, 0.2, 0.4. "
        "What is the loss of the sub-sequence 'brown fox'?"
    ),
    hints=(
        "A sub-sequence sums over its own positions.",
        "Which of the four numbers belong to brown and to fox?",
        "The last two numbers, added.",
    ),
    explanation="Summing uses that the log of a product of conditional probabilities is a sum.",
)
def brown_fox():
    """The loss of the words 'brown fox', in nats."""
    return 0.2 + 0.4


brown_fox.mistakes(
    ("mean-for-sum", 0.3, "the value is the mean of the two token losses", "their sum"),
    ("off-by-one", 0.5, "the value belongs to 'quick brown'", "the losses of brown and of fox"),
    ("end-left-out", 0.2, "the value is that of brown alone", "both words enter"),
    (
        "top-entry-only",
        0.4,
        "the value is that of fox alone",
        "both words enter, not only the last",
    ),
    (
        "whole-for-part",
        1.0,
        "the value is that of the whole sentence",
        "only the positions of the sub-sequence",
    ),
    (
        "wrong-size-in-mean",
        0.15,
        "the sum is divided by the length of the whole sentence",
        "nothing is divided: a loss of a sequence is a sum",
    ),
)
