r"""Many languages with one word of memory, side by side: ten students are trained as fast as one.

A language is a matrix of log-rows, as in `kdlib.toys.markov`; a crowd is (S, V, V). What a student
is corrected on depends only on how often each word was the last one, so texts are kept as counts.
"""

from __future__ import annotations

import torch
from torch import Tensor


def visits(log_rows: Tensor, length: int, eos_id: int = 0) -> Tensor:
    r"""Expected number of times that a text continues after each word.

    .. math:: v = \sum_{t=0}^{L-1} (A^\top)^t e_{\mathrm{eos}}

    with A the rows without their eos column: a text ends with eos, or after L words.

    Args:
        log_rows: (..., V, V), row eos_id begins a text.
        length: L, at most so many words.
        eos_id: the word that ends a text.

    Returns:
        (..., V), with gradient.
    """
    rows = log_rows.exp()
    goes_on = rows * (torch.arange(rows.shape[-1]) != eos_id)
    now = torch.zeros_like(rows[..., :1, :])
    now[..., eos_id] = 1
    total = now
    for _ in range(length - 1):
        now = now @ goes_on
        total = total + now
    return total.squeeze(-2)


@torch.no_grad()
def written(
    log_rows: Tensor, texts: int, length: int, draws: torch.Generator, eos_id: int = 0
) -> Tensor:
    """How often texts that are drawn from each language continue after each word.

    Args:
        log_rows: (S, V, V).
        texts: drawn from each.
        length: of a text at most, in words.
        draws: the source of all randomness.
        eos_id: the word that ends a text.

    Returns:
        (S, V) counts; their mean over many draws is `texts` times `visits`.
    """
    crowd, words = log_rows.shape[:2]
    rows = log_rows.exp()
    last = torch.full((crowd, texts), eos_id)
    going = torch.ones(crowd, texts, dtype=rows.dtype)
    counts = torch.zeros(crowd, words, dtype=rows.dtype)
    for _ in range(length):
        counts.scatter_add_(1, last, going)
        chances = rows.gather(1, last[..., None].expand(-1, -1, words))
        last = torch.multinomial(chances.flatten(0, 1), 1, generator=draws).view(crowd, texts)
        going = going * (last != eos_id)
    return counts
