"""Students against their teacher and their controls, on documents that nobody has trained on.

Every quantity is kept as sums per test block, so that one pass gives the means, and resampling the
blocks gives their uncertainty.
"""

from __future__ import annotations

import math
import time
from typing import Any, NamedTuple

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor, nn

from kdlib.data.blocks import Blocks
from kdlib.losses.alignment import next_token
from kdlib.losses.divergences import forward_kl, reverse_kl
from kdlib.losses.softmax import log_softmax
from kdlib.machine.progress import progress_bar

TOKENS = 512  # read at a time: about a dozen matrices (TOKENS, V) are in memory at once
CALIBRATION_BINS = 15


class BlockSums(NamedTuple):
    """One model's sums over the counted tokens of each block, float64.

    Attributes:
        tokens: (blocks,) counted tokens.
        nll: (blocks,) negative log-likelihood of the text, nats.
        forward_kl: (blocks,) KL(teacher || model), nats.
        reverse_kl: (blocks,) KL(model || teacher), nats.
        top1: (blocks,) tokens where the model's likeliest token is the teacher's.
        top5: (blocks,) tokens, each weighted by the share of the teacher's five likeliest tokens
            that are among the model's five.
        bins: (blocks, 3, CALIBRATION_BINS) tokens, summed confidence and correct answers, by
            confidence.
        seconds: (blocks,) seconds of the model's forward pass.
    """

    tokens: np.ndarray
    nll: np.ndarray
    forward_kl: np.ndarray
    reverse_kl: np.ndarray
    top1: np.ndarray
    top5: np.ndarray
    bins: np.ndarray
    seconds: np.ndarray


@torch.no_grad()
def score_models(
    models: dict[str, nn.Module], teacher: str, blocks: Blocks, accelerator: Accelerator
) -> dict[str, BlockSums]:
    """Run every model over the blocks, side by side.

    Args:
        models: by name; all read the same tokens.
        teacher: name of the model that the others are compared with.
        blocks: the test text.
        accelerator: device and mixed precision.

    Returns:
        The sums of each model, by name.
    """
    for model in models.values():
        model.to(accelerator.device).eval()
    rows: dict[str, list[BlockSums]] = {name: [] for name in models}
    size = max(1, TOKENS // blocks.ids.shape[1])
    starts = range(0, len(blocks), size)
    with progress_bar("evaluation", len(starts)) as progress:
        for start in starts:
            ids = blocks.ids[start : start + size].to(accelerator.device)
            mask = blocks.mask[start : start + size].to(accelerator.device)
            outputs = {
                name: _timed_logits(model, ids, accelerator) for name, model in models.items()
            }
            log_p = log_softmax(next_token(outputs[teacher][0], ids, mask)[0])
            teachers_five = log_p.topk(5).indices
            for name, (logits, seconds) in outputs.items():
                logits, labels, counted = next_token(logits, ids, mask)
                scores = _token_scores(log_p, teachers_five, log_softmax(logits), labels)
                rows[name].append(_block_sums(scores, counted, seconds))
            progress.update()
    return {name: BlockSums(*map(np.concatenate, zip(*parts))) for name, parts in rows.items()}


def _timed_logits(model: nn.Module, ids: Tensor, accelerator: Accelerator) -> tuple[Tensor, float]:
    """Logits (B, S, V), and the seconds of the forward pass."""
    _wait_for(accelerator)
    started = time.perf_counter()
    with accelerator.autocast():
        logits = model(input_ids=ids, use_cache=False).logits
    _wait_for(accelerator)
    return logits, time.perf_counter() - started


def _wait_for(accelerator: Accelerator) -> None:
    """Wait until a GPU has finished, so that the clock measures its work."""
    if accelerator.device.type != "cpu":
        torch.accelerator.synchronize()


class _TokenScores(NamedTuple):
    """Quantities of each token (B, S), on the model's device.

    shared: how many of the teacher's five likeliest tokens are among the model's five.
    """

    nll: Tensor
    forward_kl: Tensor
    reverse_kl: Tensor
    top1: Tensor
    shared: Tensor
    confidence: Tensor
    correct: Tensor


def _token_scores(
    log_p: Tensor, teachers_five: Tensor, log_q: Tensor, labels: Tensor
) -> _TokenScores:
    """Score one model's log-probabilities (B, S, V) against the teacher's and the labels (B, S)."""
    top = log_q.topk(5)
    guess = top.indices[..., 0]
    return _TokenScores(
        -log_q.gather(-1, labels.unsqueeze(-1)).squeeze(-1),
        forward_kl(log_p, log_q),
        reverse_kl(log_p, log_q),
        teachers_five[..., 0] == guess,
        (teachers_five.unsqueeze(-1) == top.indices.unsqueeze(-2)).any(-1).sum(-1),
        top.values[..., 0].exp(),
        guess == labels,
    )


def _block_sums(scores: _TokenScores, counted: Tensor, seconds: float) -> BlockSums:
    """Sum over the tokens of each block in float64, on the CPU: not every GPU has float64."""
    scores = _TokenScores(*(quantity.cpu() for quantity in scores))
    weight = counted.cpu().double()
    per_token = (*scores[:4], scores.shared.double() / 5)
    sums = [(weight * quantity.double()).sum(-1).numpy() for quantity in per_token]
    bins = _calibration_bins(scores.confidence, scores.correct, weight).numpy()
    tokens = weight.sum(-1).numpy()
    share = np.full(len(tokens), seconds / len(tokens))
    return BlockSums(*(tokens, *sums, bins, share))


def _calibration_bins(confidence: Tensor, correct: Tensor, weight: Tensor) -> Tensor:
    """Tokens, summed confidence and correct answers: (B, S) each -> (B, 3, CALIBRATION_BINS)."""
    index = (confidence * CALIBRATION_BINS).long().clamp(max=CALIBRATION_BINS - 1)
    bins = torch.zeros(len(weight), 3, CALIBRATION_BINS, dtype=torch.float64)
    for row, quantity in enumerate((weight, weight * confidence, weight * correct)):
        bins[:, row].scatter_add_(1, index, quantity)
    return bins


# --- From sums to a report ----------------------------------------------------------------------


def summarise_scores(sums: BlockSums, text_bytes: int, is_teacher: bool) -> dict[str, Any]:
    r"""The measured quantities of one model, named as in the report.

    With :math:`N` counted tokens, :math:`\mathrm{CE} = \sum \mathrm{nll} / N` is the cross-entropy,
    :math:`e^{\mathrm{CE}}` the perplexity, and
    :math:`\sum \mathrm{nll} / (\ln 2 \cdot \text{bytes})` are the bits per byte.

    Args:
        sums: the model's sums per block.
        text_bytes: UTF-8 bytes of the text that the counted tokens spell.
        is_teacher: leave out the comparison with the teacher.
    """
    tokens = sums.tokens.sum()
    cross_entropy = sums.nll.sum() / tokens
    summary = {
        "cross_entropy": cross_entropy,
        "perplexity": math.exp(cross_entropy),
        "bits_per_byte": sums.nll.sum() / math.log(2) / text_bytes,
        "tokens_per_second": tokens / sums.seconds.sum(),
        "ece": expected_calibration_error(sums.bins.sum(0)),
        "calibration": _calibration(sums.bins.sum(0)),
    }
    if not is_teacher:
        summary |= {
            "forward_kl": sums.forward_kl.sum() / tokens,
            "reverse_kl": sums.reverse_kl.sum() / tokens,
            "top1_agreement": sums.top1.sum() / tokens,
            "top5_agreement": sums.top5.sum() / tokens,
        }
    return {name: float(v) if isinstance(v, np.floating) else v for name, v in summary.items()}


def expected_calibration_error(bins: np.ndarray) -> float:
    r"""Expected calibration error: the mean distance of confidence and accuracy over the bins.

    .. math:: \mathrm{ECE} = \sum_b \frac{n_b}{N} \left| \mathrm{acc}_b - \mathrm{conf}_b \right|

    Args:
        bins: (3, B) tokens, summed confidence and correct answers of each bin.

    Returns:
        A share in [0, 1].

    Source: Guo et al. 2017 (equation 3).
    """
    tokens, confidence, correct = bins
    return float(np.abs(correct - confidence).sum() / tokens.sum())


def _calibration(bins: np.ndarray) -> dict[str, Any]:
    """The calibration curve; None in an empty bin."""
    tokens, confidence, correct = bins
    filled = tokens > 0

    def mean(total: np.ndarray) -> list[float | None]:
        return [float(t / n) if f else None for t, n, f in zip(total, tokens, filled)]

    return {
        "confidence": mean(confidence),
        "accuracy": mean(correct),
        "share": [float(n / tokens.sum()) for n in tokens],
    }
