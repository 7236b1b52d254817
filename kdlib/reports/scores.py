"""What models say about every token of a text that nobody has trained on.

Everything is kept token by token. So one pass gives the means of a report, the sums of every
document, on which its intervals rest, and the pictures of where a model fails.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor, nn

from kdlib.data.blocks import Blocks
from kdlib.losses.alignment import next_token
from kdlib.losses.divergences import forward_kl, reverse_kl
from kdlib.losses.softmax import log_softmax
from kdlib.machine.progress import progress_bar
from kdlib.machine.turns import in_turns, on_device
from kdlib.reports.batch_size import tokens_at_once


class TokenScores(NamedTuple):
    """One model's scores of the T counted tokens of a text, in the text's order.

    Attributes:
        nll: (T,) float32, negative log-likelihood of the token, nats.
        forward_kl: (T,) float32, KL(teacher || model) where it is predicted, nats.
        reverse_kl: (T,) float32, KL(model || teacher), nats.
        top1: (T,) bool, whether the model's likeliest token is the teacher's.
        shared: (T,) uint8, how many of the teacher's five likeliest tokens are among the model's.
        confidence: (T,) float32, probability of the model's likeliest token.
        correct: (T,) bool, whether that token is the text's.
    """

    nll: np.ndarray
    forward_kl: np.ndarray
    reverse_kl: np.ndarray
    top1: np.ndarray
    shared: np.ndarray
    confidence: np.ndarray
    correct: np.ndarray


@torch.no_grad()
def score_models(
    models: dict[str, nn.Module], teacher: str, blocks: Blocks, accelerator: Accelerator
) -> dict[str, TokenScores]:
    """Run every model over the blocks, side by side, or in turns where a GPU has no room for all.

    Args:
        models: by name; all read the same tokens.
        teacher: name of the model that the others are compared with.
        blocks: the test text.
        accelerator: device and mixed precision.

    Returns:
        The scores of each model, by name.
    """
    scores: dict[str, TokenScores] = {}
    for others in in_turns(models, teacher, accelerator.device):
        names = [
            *({teacher} - scores.keys()),
            *others,
        ]  # the teacher's own scores are the first turn's
        together = {teacher: models[teacher]} | {name: models[name] for name in names}
        with on_device(together.values(), accelerator.device):
            scores |= _side_by_side(together, names, teacher, blocks, accelerator)
    return {name: scores[name] for name in models}


def _side_by_side(
    models: dict[str, nn.Module],
    names: list[str],
    teacher: str,
    blocks: Blocks,
    accelerator: Accelerator,
) -> dict[str, TokenScores]:
    """The scores of the named models, which are on the device with the teacher."""
    parts: dict[str, list[tuple[Tensor, ...]]] = {name: [] for name in names}
    counted = []
    tokens = tokens_at_once(accelerator.device, _slots(models[teacher]))
    for ids, counts in _batches("evaluation", blocks, tokens, accelerator):
        counted.append(counts)
        log_p = _log_probabilities(models[teacher], ids, accelerator)
        for name in names:
            log_q = log_p if name == teacher else _log_probabilities(models[name], ids, accelerator)
            parts[name].append(_quantities(log_p, log_q, ids[:, 1:]))
    return {
        name: TokenScores(*(_picked(quantity, counted) for quantity in zip(*rows)))
        for name, rows in parts.items()
    }


@torch.no_grad()
def score_text(name: str, model: nn.Module, blocks: Blocks, accelerator: Accelerator) -> np.ndarray:
    """Run one model over the blocks by itself, without a comparison to a teacher.

    Args:
        name: shown beside the progress bar.
        model: a causal language model.
        blocks: the test text.
        accelerator: device and mixed precision.

    Returns:
        (T,) float32, its negative log-likelihood of each counted token, nats.
    """
    losses, counted = [], []
    with on_device([model], accelerator.device):
        tokens = tokens_at_once(accelerator.device, _slots(model))
        for ids, counts in _batches(f"evaluation, {name}", blocks, tokens, accelerator):
            counted.append(counts)
            losses.append(_nll(_log_probabilities(model, ids, accelerator), ids[:, 1:]))
    return _picked(losses, counted)


def _slots(model: nn.Module) -> int:
    """The output slots of a model, V."""
    return int(model.config.vocab_size)  # type: ignore[union-attr, arg-type]


def _batches(
    name: str, blocks: Blocks, tokens: int, accelerator: Accelerator
) -> Iterator[tuple[Tensor, np.ndarray]]:
    """Ids of so many tokens (B, S), on the device, and which predictions count (B, S - 1). Nothing
    is read beyond the longest record of a batch."""
    size = max(1, tokens // blocks.ids.shape[1])
    starts = range(0, len(blocks), size)
    with progress_bar(name, len(starts)) as progress:
        for start in starts:
            rows = slice(start, start + size)
            read = blocks.longest(rows)
            counted = blocks.counted(rows)[:, : read - 1].numpy()
            yield blocks.ids[rows, :read].to(accelerator.device), counted
            progress.update()


def _log_probabilities(model: nn.Module, ids: Tensor, accelerator: Accelerator) -> Tensor:
    """The model's log-probabilities of each next token: (B, S) -> (B, S - 1, V)."""
    with accelerator.autocast():
        logits = model(input_ids=ids, use_cache=False).logits
    return log_softmax(next_token(logits, ids)[0])


def _nll(log_q: Tensor, labels: Tensor) -> Tensor:
    """Negative log-likelihood of the labels: (..., V), (...) -> (...)."""
    return -log_q.gather(-1, labels.unsqueeze(-1)).squeeze(-1)


def _quantities(log_p: Tensor, log_q: Tensor, labels: Tensor) -> tuple[Tensor, ...]:
    """The fields of `TokenScores`, from log-probabilities: 2 x (B, S - 1, V), (B, S - 1)."""
    top = log_q.topk(5)
    guess = top.indices[..., 0]
    if log_q is log_p:  # the teacher beside itself: nothing to be computed
        teachers_five, forward, reverse = top.indices, *log_q.new_zeros(2, *labels.shape)
    else:
        teachers_five = log_p.topk(5).indices
        forward, reverse = forward_kl(log_p, log_q), reverse_kl(log_p, log_q)
    shared = (teachers_five.unsqueeze(-1) == top.indices.unsqueeze(-2)).any(-1).sum(-1)
    return (
        _nll(log_q, labels),
        forward,
        reverse,
        teachers_five[..., 0] == guess,
        shared.to(torch.uint8),
        top.values[..., 0].exp(),
        guess == labels,
    )


def _picked(quantities: Sequence[Tensor], counted: list[np.ndarray]) -> np.ndarray:
    """The counted values of a quantity in all batches: (B, S - 1) each -> (T,)."""
    # Copied once, after the last batch: a copy in each would wait for the GPU. And picked on the CPU:
    # a GPU would have to tell first how many there are.
    values = torch.cat([quantity.flatten() for quantity in quantities]).cpu().numpy()
    picked: np.ndarray = values[np.concatenate([counts.ravel() for counts in counted])]
    return picked
