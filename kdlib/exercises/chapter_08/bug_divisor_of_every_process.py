"""What each of several processes divides by."""

from kdlib.exercises.kinds.numbers import number

_TOKENS = (900, 700, 500, 300)


@number(
    source=(),
    difficulty=3,
    minutes=4,
    decimals=0,
    prompt=(
        f"In one step, four processes count {', '.join(map(str, _TOKENS))} tokens. Data-parallel "
        "training averages the gradients of the processes. By which number must every process "
        "divide its own sum of token losses, so that this average is the gradient of the mean over "
        "all tokens of the step?"
    ),
    hints=(
        "Every token must weigh the same, in whichever process it is; so the number is common.",
        "The average over processes divides by 4 already.",
        "The tokens of all processes together, over the number of processes.",
    ),
    explanation="Each process needs the count of all: one small all-reduce before backward().",
)
def bug_divisor_of_every_process():
    """What each process divides its sum by, if gradients are averaged over processes."""
    return (900 + 700 + 500 + 300) / 4


bug_divisor_of_every_process.mistakes(
    (
        "divided-twice",
        sum(_TOKENS),
        "the average over the processes divides once more: the gradient is four times too small",
        "a division that takes the average into account",
    ),
    (
        "divided-twice",
        4 * sum(_TOKENS),
        "the number of processes makes up for the average in the wrong direction",
        "a smaller divisor, since the average divides too",
    ),
    (
        "sum-for-mean",
        1,
        "nothing is divided: a step with more tokens takes a larger stride",
        "the gradient of a mean",
    ),
    (
        "wrong-size-in-mean",
        len(_TOKENS),
        "the number of processes is divided out twice, the number of tokens never",
        "a number that grows with the tokens",
    ),
    *(
        (
            "mean-of-means",
            count,
            f"{count} is the count of a single process; others weigh tokens differently",
            "one divisor for all processes",
        )
        for count in _TOKENS
    ),
)
