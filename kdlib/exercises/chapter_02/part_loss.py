"""The loss of a part of a sequence."""

import torch

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
part_loss.probe("losses that recur", torch.tensor([0.5, 0.25, 0.25, 0.125, 2.0]), 1, 4)


@part_loss.also
def part_loss_in_loops(token_losses, first, last):
    return sum(x for number, x in enumerate(token_losses.tolist(), 1) if first <= number <= last)


part_loss.mistakes(
    ("off-by-one", "the part starts one word too late", "word number 1 is the first",
     lambda losses, first, last: losses[first : last + 1].sum()),
    ("off-by-one", "the first word of the part is missing",
     "a part that contains the word it starts with",
     lambda losses, first, last: losses[first:last].sum()),
    ("end-left-out", "the last word of the part is missing", "both ends belong to the part",
     lambda losses, first, last: losses[first - 1 : last - 1].sum()),
    ("off-by-one", "the part is one word too long at its end",
     "as many terms as the part has words",
     lambda losses, first, last: losses[first - 1 : last + 1].sum()),
    ("mean-for-sum",
     "longer parts do not have larger losses: the sum is divided by the length",
     "a sum over the part's words", lambda losses, first, last: losses[first - 1 : last].mean()),
    ("whole-for-part",
     "the result is that of the whole sequence, whichever part is asked for",
     "only the part's own words", lambda losses, first, last: losses.sum()),
    ("whole-for-part",
     "everything up to the last word enters, also what stands before the part",
     "a part has a beginning too", lambda losses, first, last: losses[:last].sum()),
)  # fmt: skip
