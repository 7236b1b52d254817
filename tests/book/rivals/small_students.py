"""Chapter 8's small students on another lesson and another exam, with any sparse target."""

from __future__ import annotations

import functools
from typing import NamedTuple

import torch
from torch import Tensor

from kdlib.data.blocks import make_blocks
from kdlib.data.documents import load_splits
from kdlib.data.shares import take_fraction
from kdlib.losses.divergences import forward_kl
from kdlib.losses.sparse import SparseTargets, sampled, top_k, with_tail
from kdlib.models.folders import POCKET_TEACHER, load_model, load_tokenizer
from kdlib.models.from_scratch import ModelSize, new_model
from kdlib.models.frozen import freeze
from kdlib.models.ngram import NGram

SEEDS, RATE = 5, 0.008
ALL, NEW = "all", "new draws"  # what is no fixed sparse target


class Look(NamedTuple):
    """What is measured of a student at the exam."""

    loss: float
    kept: float  # the part of the loss where the right word is among the teacher's k likeliest
    mass: float  # where it is not: of the mass of the rest
    division: float  # and of the word's share in it
    too_sure: float  # mean confidence less the share of right words
    agreement: float


@functools.cache
def exam() -> tuple[Tensor, Tensor]:
    """32 blocks of the validation text, and what the teacher says there."""
    return _read(take_fraction(load_splits("sotu").validation, 0.3), 32)


@functools.cache
def lesson(blocks: int) -> tuple[Tensor, Tensor]:
    """Blocks of the training text, others than the chapter's, and what the teacher says there."""
    return _read(take_fraction(load_splits("sotu").training, 0.1), blocks, first=3)


@functools.cache
def targets(blocks: int, k: int) -> dict[str, SparseTargets]:
    """The fixed sparse targets of a lesson."""
    said, dice = lesson(blocks)[1], torch.Generator().manual_seed(5)
    return {
        "draws": sampled(said, k, dice),
        "top": top_k(said, k),
        "top and rest": with_tail(said, k),
        "one draw": sampled(said, 1, dice),
    }


@functools.cache
def looks(kind: str, blocks: int = 64, steps: int = 120, k: int = 12) -> Look:
    """The means over five students of a kind."""
    found = [_look(_learn(kind, blocks, steps, k, seed), k) for seed in range(10, 10 + SEEDS)]
    return Look(*torch.tensor(found).mean(0).tolist())


@functools.cache
def counted(blocks: int) -> float:
    """The exam's loss of a table of single words, counted in a lesson."""
    texts, right = lesson(blocks)[0], exam()[0]
    table = NGram.fit(texts, torch.ones_like(texts), lesson(blocks)[1].shape[-1], 1)
    return float(table.nll(right, torch.ones_like(right)).sum() / right[:, 1:].numel())


def _learn(kind: str, blocks: int, steps: int, k: int, seed: int) -> torch.nn.Module:
    """A new student, trained."""
    texts, said = lesson(blocks)
    student = new_model(
        ModelSize(32, layers=1, heads=2, initial_std=0.09), said.shape[-1], 128, seed
    )
    optimizer = torch.optim.AdamW(student.parameters(), weight_decay=0.0, fused=True)
    draws = torch.Generator().manual_seed(seed)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = RATE * min((step + 1) / 10, 1 - step / steps)
        rows = torch.randperm(blocks, generator=draws)[:4]
        log_q = student(input_ids=texts[rows, :-1]).logits.log_softmax(-1)
        if kind == ALL:
            loss = forward_kl(said[rows], log_q)
        elif kind == NEW:
            loss = sampled(said[rows], k, draws).divergence(log_q)
        else:
            loss = (
                targets(blocks, k)[kind].map(lambda each, rows=rows: each[rows]).divergence(log_q)
            )
        loss.mean().backward()
        optimizer.step()
        optimizer.zero_grad()
    return student


@torch.no_grad()
def _look(student: torch.nn.Module, k: int) -> Look:
    texts, knows = exam()
    knows, right = knows.flatten(0, 1), texts[:, 1:].reshape(-1, 1)
    log_q = student(input_ids=texts[:, :-1]).logits.log_softmax(-1).flatten(0, 1)
    loss, likeliest = -log_q.gather(-1, right)[:, 0], knows.topk(k).indices
    log_rest = log_q.scatter(-1, likeliest, -torch.inf).logsumexp(-1)
    in_rest = (likeliest != right).all(-1)
    top, best = log_q.exp().max(-1)
    parts = (loss, loss * ~in_rest, -log_rest * in_rest, (loss + log_rest) * in_rest)
    mean, kept, mass, division = (part.mean().item() for part in parts)
    is_right = (best == right[:, 0]).double().mean().item()
    agrees = (best == knows.argmax(-1)).double().mean().item()
    return Look(mean, kept, mass, division, top.mean().item() - is_right, agrees)


@torch.no_grad()
def _read(documents: list, count: int, first: int = 0) -> tuple[Tensor, Tensor]:
    """Evenly spaced blocks of 65 tokens, and the teacher's log-probabilities."""
    tokenizer = load_tokenizer(POCKET_TEACHER)
    ids = make_blocks(documents, tokenizer.backend_tokenizer, 64, tokenizer.eos_token_id).ids[:-1]
    texts = ids[first :: len(ids) // count][:count]
    teacher = freeze(load_model(POCKET_TEACHER))
    said = [teacher(input_ids=some[:, :-1]).logits.log_softmax(-1) for some in texts.split(16)]
    return texts, torch.cat(said)
