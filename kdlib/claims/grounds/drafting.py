"""How much of what a student drafts its teacher keeps, in speculative sampling on real text."""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch import Tensor, nn

from kdlib.claims.grounds import pocket
from kdlib.claims.grounds.learning import ROWS
from kdlib.data.blocks import Blocks
from kdlib.losses.divergences import total_variation
from kdlib.losses.softmax import log_softmax
from kdlib.models.ngram import NGram
from kdlib.sequences.on_policy import sample_batch
from kdlib.sequences.speculative import speculative_pass

AHEAD = 4  # tokens that are drafted before each pass of the teacher
EVERY = 8  # of the teacher's words: so far apart are the places where a draft begins
SETTINGS: dict[str, Any] = {"ahead": AHEAD, "every": EVERY}


class Counted:
    """A table of counts, in the form that speculative sampling asks: next words after a prefix.

    Args:
        blocks: what is counted.
        order: tokens of the longest n-grams.
    """

    eos_id = None

    def __init__(self, blocks: Blocks, order: int = 3) -> None:
        teacher: Any = pocket.teacher()
        self.vocab_size: int = teacher.config.vocab_size
        self._table = NGram.fit(blocks.ids, blocks.mask, self.vocab_size, order)

    def next_log_probs(self, prefixes: Tensor, context: Any = None) -> Tensor:
        """Log-probabilities (N, V) of the word after each prefix (N, t), as a toy language has it."""
        last = prefixes[:, 1 - self._table.order :]
        words = torch.arange(self.vocab_size).repeat(len(last))[:, None]
        texts = torch.cat([last.repeat_interleave(self.vocab_size, 0), words], dim=1)
        nll = torch.from_numpy(self._table.nll(texts, torch.ones_like(texts)))
        return -nll[:, -1].view(len(last), -1)


@functools.cache
def _teachers_words() -> Tensor:
    """What the teacher writes after the beginnings of the test text."""
    draws = torch.Generator().manual_seed(0)
    texts = sample_batch(
        pocket.teacher(), pocket.beginnings(), pocket.NEW, eos_id=None, generator=draws
    )
    return texts.ids


def kept_of_a_draft(draft: Any, seed: int) -> float:
    """Drafted tokens that a pass of the teacher keeps, a mean over many places in its own texts.

    Speculative sampling's output is the teacher's language, so these are the places where its
    passes begin, whatever the draft.
    """
    texts, draws = _teachers_words(), torch.Generator().manual_seed(seed)
    ends = range(pocket.PROMPT, texts.shape[1], EVERY)
    accepted = [
        speculative_pass(pocket.teacher(), draft, texts[:, :end], AHEAD, draws).accepted
        for end in ends
    ]
    return torch.cat(accepted).double().mean().item()


@torch.no_grad()
def missed(student: nn.Module, blocks: Blocks) -> float:
    """The total variation between teacher and student at a text: what is rejected of one token."""
    total = count = 0.0
    for some in torch.arange(len(blocks)).split(ROWS):
        log_p, log_q = (
            log_softmax(model.eval()(input_ids=blocks.ids[some]).logits[:, :-1])
            for model in (pocket.teacher(), student)
        )
        counted = blocks.mask[some][:, 1:].bool()
        total += float(total_variation(log_p, log_q)[counted].sum())
        count += int(counted.sum())
    return total / count
