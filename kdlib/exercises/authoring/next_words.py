"""Next-word losses with another shift, another choice of positions or another loss."""

from __future__ import annotations

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor


def next_losses(
    shift: int = 1,
    real: Callable[[Tensor, Tensor, Tensor], Tensor] = lambda first, last, not_stop: first & last,
    loss: Callable[..., Tensor] = F.cross_entropy,
) -> Callable[[Tensor, Tensor, Tensor, int], tuple[Tensor, Tensor]]:
    """A function (logits, tokens, mask, stop) -> losses (B, L'), and which of them count.

    real(first, last, not_stop): from whether the token read is real, whether the one asked for is,
    and whether that is no stop token.
    """

    def losses(logits: Tensor, tokens: Tensor, mask: Tensor, stop: int) -> tuple[Tensor, Tensor]:
        length = tokens.shape[1]
        read, asked = slice(0, length - shift), slice(shift, length)
        if shift < 0:
            read, asked = slice(-shift, length), slice(0, length + shift)
        labels, first, last = tokens[:, asked], mask[:, read].bool(), mask[:, asked].bool()
        values = loss(logits[:, read].transpose(1, 2), labels, reduction="none")
        return values, real(first, last, labels != stop)

    return losses


NEXT_WORD_SWITCHES = (  # rows for `name_switches` that set options of `next_losses`
    (
        "off-by-one",
        "each position is compared with the word that stands there: copying is the best strategy",
        "each position is compared with the word behind it",
        {"shift": 0},
    ),
    (
        "off-by-one",
        "logits and labels are shifted the wrong way: the word before is asked for",
        "the word behind",
        {"shift": -1},
    ),
    (
        "off-by-one",
        "there are two shifts, and the word after the next one is asked for",
        "one shift, in one place",
        {"shift": 2},
    ),
    (
        "stop-token-masked",
        "every stop is taken for padding, so nobody teaches the model to stop",
        "padding that is known from the mask, never from an id",
        {"real": lambda first, last, not_stop: not_stop},
    ),
    (
        "stop-token-masked",
        "the mask is used, but the stop that ends a text is left out",
        "the stop is a word to be learned",
        {"real": lambda first, last, not_stop: first & last & not_stop},
    ),
    (
        "padding-counted",
        "padding is to be predicted like words",
        "positions where both words are real",
        {"real": lambda first, last, not_stop: first | True},
    ),
    (
        "padding-counted",
        "where padding stands on the left, the first word is predicted from padding",
        "the word that is read has to be real too",
        {"real": lambda first, last, not_stop: last},
    ),
    (
        "padding-counted",
        "where padding stands on the right, padding is predicted from the last word",
        "the word that is asked for has to be real too",
        {"real": lambda first, last, not_stop: first},
    ),
    (
        "logits-for-probabilities",
        "the words' logits are used; they lack the normaliser",
        "log-probabilities, which no constant added to all logits changes",
        {"loss": F.nll_loss},
    ),
    (
        "softmax-twice",
        "cross_entropy takes logits and is given probabilities: there are two softmaxes",
        "one softmax",
        {"loss": lambda logits, labels, **how: F.cross_entropy(logits.softmax(1), labels, **how)},
    ),
)
