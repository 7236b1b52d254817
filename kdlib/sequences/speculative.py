r"""Speculative sampling: a small model drafts, a large one judges the draft in one pass.

The draft writes some tokens. Its target, the large model, reads them all at once and accepts each
with probability

.. math:: \min\Bigl(1, \frac{P(y_t \mid y_{<t})}{Q(y_t \mid y_{<t})}\Bigr)

up to the first that it rejects. In the place of that one it draws from what Q gave too little,
:math:`(P - Q)_+` made to sum to one; where all were accepted, it adds a token of its own. What comes
out is distributed as if the target had written it alone, whatever the draft is. A better draft only
makes it faster: at one place, a token is accepted with probability
:math:`\sum_y \min(P, Q) = 1 - \mathrm{TV}(P, Q)`.

Sources: Leviathan, Kalman, Matias 2023, algorithm 1; Chen et al. 2023.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from kdlib.losses.softmax import log_softmax
from kdlib.sequences.exact import at_least
from kdlib.sequences.on_policy import Student, sample_batch

NONE = -1  # in the place of a token that a pass did not reach


class Passed(NamedTuple):
    """What one pass of the target adds to each text.

    Attributes:
        tokens: (B, D + 1) the accepted ones, then one of the target's own, then `NONE`.
        accepted: (B,) how many of the D drafted tokens were kept.
    """

    tokens: Tensor
    accepted: Tensor


@torch.no_grad()
def speculative_pass(
    target: Student, draft: Student, texts: Tensor, ahead: int, generator: torch.Generator
) -> Passed:
    """Draft some tokens after each text, and let the target judge them in one pass.

    Args:
        target: P, whose language comes out.
        draft: Q, over the same vocabulary.
        texts: (B, S) ids so far, S >= 1, without padding.
        ahead: tokens that are drafted, D >= 1.
        generator: the source of all randomness.

    Raises:
        ValueError: for ``ahead`` < 1, for two vocabularies of different sizes, and as `sample_batch`.
    """
    at_least("ahead", ahead, 1)
    _check_vocabularies(target, draft)
    drafted = sample_batch(draft, texts, ahead, eos_id=None, generator=generator).ids
    chances_p = _chances(target, drafted, ahead + 1)
    chances_q = _chances(draft, drafted, ahead + 1)[:, :-1]
    tokens = drafted[:, -ahead:]
    p, q = (c[:, :ahead].gather(2, tokens[..., None])[..., 0] for c in (chances_p, chances_q))
    # u q < p accepts with probability min(1, p / q), and divides by nothing.
    kept = torch.rand(p.shape, generator=generator, dtype=p.dtype) * q < p
    accepted = kept.cumprod(1).sum(1)
    # After the draft's last token Q has no say: its chances there are 0, and (P - 0)+ is P itself.
    rows = torch.arange(len(texts))
    rest = (chances_p - F.pad(chances_q, (0, 0, 0, 1)))[rows, accepted].clamp(min=0)
    # Rounding alone can reject a token of a draft that agrees, and then nothing is left over.
    rest = torch.where(rest.sum(1, keepdim=True) > 0, rest, chances_p[rows, accepted])
    own = torch.multinomial(rest, 1, generator=generator)
    places = torch.arange(ahead + 1)
    out = torch.where(places < accepted[:, None], F.pad(tokens, (0, 1)), NONE)
    return Passed(torch.where(places == accepted[:, None], own, out), accepted)


def _check_vocabularies(target: Any, draft: Any) -> None:
    """Raise ValueError where the two models cannot mean the same words by their ids."""
    of_target, of_draft = (
        model.vocab_size if hasattr(model, "next_log_probs") else model.config.vocab_size
        for model in (target, draft)
    )
    if of_target != of_draft:
        raise ValueError(
            f"draft has {of_draft} words and target {of_target}: both need one vocabulary; draft with"
            " a model that has the target's tokenizer"
        )


def _chances(model: Any, texts: Tensor, last: int) -> Tensor:
    """Probabilities (B, last, V) of the last tokens of a text and of the one that follows it."""
    if hasattr(model, "next_log_probs"):
        ends = range(texts.shape[1] - last + 1, texts.shape[1] + 1)
        log_probs = torch.stack([model.next_log_probs(texts[:, :end]) for end in ends], dim=1)
        return log_probs.exp()
    return log_softmax(model.eval()(input_ids=texts).logits[:, -last:]).exp()
