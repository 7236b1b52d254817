"""The loss of a part of a sequence."""

from kdlib.exercises.authoring.inputs import positive
from kdlib.exercises.kinds.functions import code


@code(
    source=("Q12",),
    difficulty=2,
    minutes=6,
    prompt=(
        "Write `part_loss(token_losses, first, last)`: the loss of the part of a sequence from "
        "word number `first` to word number `last`, both included, counting from 1. "
        "`token_losses` has shape (L,)."
    ),
    hints=(
        "A part sums over its own positions and no others.",
        "Python counts from 0 and leaves the end of a slice out: two small corrections.",
        "'quick brown' is words 2 and 3, that is, the slice [1:3].",
    ),
)
def part_loss(token_losses, first, last):
    """Sum of the token losses from word number `first` to word number `last`. (L,) -> scalar"""
    return token_losses[first - 1 : last].sum()


for _first, _last in ((2, 3), (1, 4), (3, 3), (4, 7), (1, 1)):
    part_loss.probe(f"words {_first} to {_last} of 7", positive(7, seed=71), _first, _last)
part_loss.probe("a whole sequence", positive(5, seed=72), 1, 5)


@part_loss.also
def part_loss_in_loops(token_losses, first, last):
    return sum(x for number, x in enumerate(token_losses.tolist(), 1) if first <= number <= last)


@part_loss.wrong(
    "off-by-one",
    seen="the part starts one word too late",
    expected="word number 1 is the first",
)
def part_loss_from_zero(token_losses, first, last):
    return token_losses[first : last + 1].sum()


@part_loss.wrong(
    "off-by-one",
    seen="the first word of the part is missing",
    expected="a part that contains the word it starts with",
)
def part_loss_without_first(token_losses, first, last):
    return token_losses[first:last].sum()


@part_loss.wrong(
    "end-left-out",
    seen="the last word of the part is missing",
    expected="both ends belong to the part",
)
def part_loss_without_last(token_losses, first, last):
    return token_losses[first - 1 : last - 1].sum()


@part_loss.wrong(
    "off-by-one",
    seen="the part is one word too long at its end",
    expected="as many terms as the part has words",
)
def part_loss_too_long(token_losses, first, last):
    return token_losses[first - 1 : last + 1].sum()


@part_loss.wrong(
    "mean-for-sum",
    seen="longer parts do not have larger losses: the sum is divided by the length",
    expected="a sum over the part's words",
)
def part_loss_mean(token_losses, first, last):
    return token_losses[first - 1 : last].mean()


@part_loss.wrong(
    "whole-for-part",
    seen="the result is that of the whole sequence, whichever part is asked for",
    expected="only the part's own words",
)
def part_loss_whole(token_losses, first, last):
    return token_losses.sum()


@part_loss.wrong(
    "whole-for-part",
    seen="everything up to the last word enters, also what stands before the part",
    expected="a part has a beginning too",
)
def part_loss_prefix(token_losses, first, last):
    return token_losses[:last].sum()
