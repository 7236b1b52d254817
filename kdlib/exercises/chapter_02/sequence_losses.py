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


@sequence_losses.also
def sequence_losses_in_loops(token_losses, mask):
    kept = [[x for x, m in zip(*row) if m] for row in zip(token_losses.tolist(), mask.tolist())]
    return [sum(row) for row in kept], [sum(row) / len(row) for row in kept]


@sequence_losses.wrong(
    "padding-counted",
    seen="the losses at padding enter the sum and the mean",
    expected="results that do not change with the losses at padding",
)
def sequence_losses_unmasked(token_losses, mask):
    return token_losses.sum(dim=-1), token_losses.mean(dim=-1)


@sequence_losses.wrong(
    "padding-counted",
    seen="the sum is right; the mean falls when padding is added",
    expected="a mean over tokens only",
)
def sequence_losses_mean_of_all(token_losses, mask):
    return (token_losses * mask).sum(dim=-1), (token_losses * mask).mean(dim=-1)


@sequence_losses.wrong(
    "padding-counted",
    seen="the losses at padding enter the sum; only the count leaves padding out",
    expected="the mask applied to the losses as well",
)
def sequence_losses_unmasked_sum(token_losses, mask):
    return token_losses.sum(dim=-1), token_losses.sum(dim=-1) / mask.sum(dim=-1)


@sequence_losses.wrong(
    "padding-counted",
    seen="only padding is counted: the mask is read the other way round",
    expected="1 in the mask stands for a token",
)
def sequence_losses_of_padding(token_losses, mask):
    return sequence_losses.reference(token_losses, 1 - mask)


@sequence_losses.wrong(
    "sum-for-mean",
    seen="sum and mean are exchanged",
    expected="the sum first, then the mean",
)
def sequence_losses_exchanged(token_losses, mask):
    return sequence_losses.reference(token_losses, mask)[::-1]


@sequence_losses.wrong(
    "batch-for-row",
    seen="there is one sum and one mean for the whole batch",
    expected="a sum and a mean for each sequence",
)
def sequence_losses_of_batch(token_losses, mask):
    total = (token_losses * mask).sum()
    return total, total / mask.sum()


@sequence_losses.wrong(
    "wrong-size-in-mean",
    seen="each mean is divided by the tokens of the whole batch",
    expected="each mean divides by its own sequence's tokens",
)
def sequence_losses_batch_count(token_losses, mask):
    total = (token_losses * mask).sum(dim=-1)
    return total, total / mask.sum()


@sequence_losses.wrong(
    "wrong-axis",
    seen="the sums run down the columns: over the batch, not along the sequence",
    expected="a sum along each sequence",
)
def sequence_losses_columns(token_losses, mask):
    total = (token_losses * mask).sum(dim=0)
    return total, total / mask.sum(dim=0)


@sequence_losses.wrong(
    "divided-twice",
    seen="the first result is a mean already, and the second is divided again",
    expected="a sum and a mean",
)
def sequence_losses_divided_twice(token_losses, mask):
    mean = (token_losses * mask).sum(dim=-1) / mask.sum(dim=-1)
    return mean, mean / mask.sum(dim=-1)


@sequence_losses.wrong(
    "sum-for-mean",
    seen="both results are the sum",
    expected="a mean that is not larger for being longer",
)
def sequence_losses_two_sums(token_losses, mask):
    total = (token_losses * mask).sum(dim=-1)
    return total, total


@sequence_losses.wrong(
    "mean-for-sum",
    seen="both results are the mean",
    expected="a sum that grows with every token",
)
def sequence_losses_two_means(token_losses, mask):
    mean = (token_losses * mask).sum(dim=-1) / mask.sum(dim=-1)
    return mean, mean
