"""Sum and mean of a sequence's token losses, without padding."""

import torch

from kdlib.exercises.authoring.inputs import positive
from kdlib.exercises.kinds.functions import code


@code(
    source=("Q12",),
    difficulty=2,
    minutes=8,
    prompt=(
        "Write `sequence_losses(token_losses, mask)`: the sum and the mean of the token losses "
        "of each sequence, as a pair of tensors (B,). Both arguments have shape (B, L); the mask "
        "is 1 at tokens and 0 at padding. Padding may stand left or right; what `token_losses` "
        "holds there is arbitrary and finite. Every sequence has at least one token."
    ),
    hints=(
        "Padding must neither add to a sum nor count in a mean.",
        "The mask serves twice: once for the losses, once for their number.",
        "Multiply by the mask before summing; divide by the sum of the mask.",
    ),
)
def sequence_losses(token_losses, mask):
    """Sum and mean of each sequence's token losses, without padding. (B, L) twice -> (B,), (B,)"""
    total = (token_losses * mask).sum(dim=-1)
    return total, total / mask.sum(dim=-1)


_RIGHT = torch.tensor([[1.0, 1, 1, 1, 1], [1, 1, 1, 0, 0], [1, 0, 0, 0, 0]])
_LEFT = torch.tensor([[0.0, 0, 1, 1], [1, 1, 1, 1]])
_FOX = torch.tensor([[0.1, 0.3, 0.2, 0.4], [0.1, 0.3, 0.9, 0.9]])
_FOX_MASK = torch.tensor([[1.0, 1, 1, 1], [1, 1, 0, 0]])
sequence_losses.probe("padding on the right", positive(3, 5, seed=61), _RIGHT)
sequence_losses.probe("padding on the left", positive(2, 4, seed=62), _LEFT)
sequence_losses.probe("no padding", positive(4, 3, seed=63), torch.ones(4, 3))
sequence_losses.probe("the quick brown fox, and its beginning", _FOX, _FOX_MASK)
sequence_losses.probe(
    "a token without loss, and large numbers at padding",
    torch.tensor([[0.0, 0.5, 0.25, 1000.0], [-1000.0, 0.0, 0.0, 2.0]]),
    torch.tensor([[1.0, 1, 1, 0], [0, 1, 1, 1]]),
    expected="padding that is known from the mask alone",
)


@sequence_losses.also
def sequence_losses_in_loops(token_losses, mask):
    kept = [[x for x, m in zip(*row) if m] for row in zip(token_losses.tolist(), mask.tolist())]
    return [sum(row) for row in kept], [sum(row) / len(row) for row in kept]


def _masked(token_losses, mask):
    return (token_losses * mask).sum(dim=-1)


sequence_losses.mistakes(
    ("padding-counted", "the losses at padding enter the sum and the mean",
     "results that do not change with the losses at padding",
     lambda losses, mask: (losses.sum(dim=-1), losses.mean(dim=-1))),
    ("padding-counted", "the sum is right; the mean falls when padding is added",
     "a mean over tokens only",
     lambda losses, mask: (_masked(losses, mask), (losses * mask).mean(dim=-1))),
    ("padding-counted",
     "the losses at padding enter the sum; only the count leaves padding out",
     "the mask applied to the losses as well",
     lambda losses, mask: (losses.sum(dim=-1), losses.sum(dim=-1) / mask.sum(dim=-1))),
    ("padding-counted", "only padding is counted: the mask is read the other way round",
     "1 in the mask stands for a token",
     lambda losses, mask: sequence_losses.reference(losses, 1 - mask)),
    ("padding-counted", "padding is known by its value: tokens without loss do not count",
     "a mean over all tokens, those without loss as well",
     lambda losses, mask: sequence_losses.reference(losses, mask * (losses != 0))),
    ("sum-for-mean", "sum and mean are exchanged", "the sum first, then the mean",
     lambda losses, mask: sequence_losses.reference(losses, mask)[::-1]),
    ("batch-for-row", "there is one sum and one mean for the whole batch",
     "a sum and a mean for each sequence",
     lambda losses, mask: ((losses * mask).sum(), (losses * mask).sum() / mask.sum())),
    ("wrong-size-in-mean", "each mean is divided by the tokens of the whole batch",
     "each mean divides by its own sequence's tokens",
     lambda losses, mask: (_masked(losses, mask), _masked(losses, mask) / mask.sum())),
    ("wrong-axis", "the sums run down the columns: over the batch, not along the sequence",
     "a sum along each sequence",
     lambda losses, mask: sequence_losses.reference(losses.T, mask.T)),
    ("divided-twice",
     "the first result is a mean already, and the second is divided again", "a sum and a mean",
     lambda losses, mask: tuple(_masked(losses, mask) / mask.sum(-1) ** n for n in (1, 2))),
    ("sum-for-mean", "both results are the sum", "a mean that is not larger for being longer",
     lambda losses, mask: (_masked(losses, mask), _masked(losses, mask))),
    ("mean-for-sum", "both results are the mean", "a sum that grows with every token",
     lambda losses, mask: 2 * sequence_losses.reference(losses, mask)[1:]),
)  # fmt: skip
