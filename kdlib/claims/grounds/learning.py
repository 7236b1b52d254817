"""How the students of all claims are trained: the loop of chapter 7, with own texts and a best look."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_

from kdlib.data.blocks import Blocks
from kdlib.losses.objectives import Objective
from kdlib.losses.sparse import SparseTargets
from kdlib.sequences.on_policy import sample_batch
from kdlib.teachers.base import TeacherTargets
from kdlib.training.rollouts import Rollouts
from kdlib.training.schedule import (
    Training,
    learning_rate,
    make_optimizer,
    rows_of_step,
    set_learning_rate,
)
from kdlib.training.student_with_loss import Own, StudentWithLoss

FROM_TEACHER = Objective.from_alpha(1.0)
FROM_TEXT = Objective.from_alpha(0.0)
LOOKS = 8  # a training that keeps its best state looks at the validation text so often
ROWS = 8  # read at once where nothing is learned


class Lesson(NamedTuple):
    """What a student learns from, and for how long.

    Attributes:
        blocks: of text.
        steps: of the optimiser.
        batch: blocks a step.
        objective: what is minimised.
        targets: the teacher's, or None.
        rollouts: which rows the student writes itself.
        validation: where the best of `LOOKS` states is kept, the text that judges; else None.
    """

    blocks: Blocks
    steps: int
    batch: int
    objective: Objective = FROM_TEACHER
    targets: TeacherTargets | None = None
    rollouts: Rollouts | None = None
    validation: Blocks | None = None


def learn(student: nn.Module, lesson: Lesson, rate: float, seed: int) -> nn.Module:
    """Train a student in place; returns it, or its best state.

    Args:
        student: before its first step.
        lesson: what it learns from.
        rate: highest learning rate.
        seed: of the order of the blocks, and of what it writes.
    """
    learner = StudentWithLoss(student)
    training = Training(lesson.steps, lesson.batch, learning_rate=rate)
    optimizer = make_optimizer(student, training)
    looks = {lesson.steps * (look + 1) // LOOKS for look in range(LOOKS)}
    best, lowest = student, float("inf")
    for step in range(lesson.steps):
        set_learning_rate(optimizer, learning_rate(step, training))
        _loss(lesson, learner, step, seed).mean.backward()
        clip_grad_norm_(student.parameters(), training.clip)
        optimizer.step()
        optimizer.zero_grad()
        if lesson.validation is not None and step + 1 in looks:
            now = nats(student, lesson.validation)
            if now < lowest:
                best, lowest = copy.deepcopy(student), now
    return best


@torch.no_grad()
def nats(model: nn.Module, blocks: Blocks) -> float:
    """Cross-entropy per token."""
    read = StudentWithLoss(model)
    parts = [
        read(blocks.ids[some], blocks.counted(some), FROM_TEXT)
        for some in torch.arange(len(blocks)).split(ROWS)
    ]
    return float(sum(part.total for part in parts) / sum(part.count for part in parts))


class Kept(TeacherTargets):
    """Sparse targets: what is kept of the teacher's distributions, made once, block by block.

    Args:
        exact: the whole distributions.
        blocks: whose they are.
        keep: from log-probabilities (..., V) and a source of draws to sparse targets.
    """

    def __init__(
        self,
        exact: TeacherTargets,
        blocks: Blocks,
        keep: Callable[[Tensor, torch.Generator], SparseTargets],
    ) -> None:
        parts = [keep(*_said(exact, blocks, row)) for row in range(len(blocks))]
        columns: Any = [None if each[0] is None else torch.cat(each) for each in zip(*parts)]
        self._all = SparseTargets(*columns)

    def __call__(self, rows: Tensor, ids: Tensor, own: Tensor | None = None) -> SparseTargets:
        """The kept targets of some blocks; of texts that a student wrote there are none."""
        assert own is None
        return self._all.map(lambda each: each[rows])


@torch.no_grad()
def _said(exact: Any, blocks: Blocks, row: int) -> tuple[Tensor, torch.Generator]:
    """The teacher's log-probabilities (1, S - 1, V) at a block, and draws that are its own."""
    rows = torch.tensor([row])
    logits = exact(rows, blocks.ids[rows]).logits()[:, :-1]
    return logits.log_softmax(-1), torch.Generator().manual_seed(row)


def _loss(lesson: Lesson, learner: StudentWithLoss, step: int, seed: int) -> Any:
    """The loss of one batch, whose own rows the student writes first."""
    rows = rows_of_step(step, len(lesson.blocks), lesson.batch, seed)
    ids, counted = lesson.blocks.ids[rows].clone(), lesson.blocks.counted(rows)
    own = targets = None
    if lesson.rollouts is not None:
        draws = torch.Generator().manual_seed(1_000_003 * seed + step)
        own = _write(lesson, learner.model, lesson.rollouts.own_rows(step, rows, lesson.blocks),
                     ids, counted, draws)  # fmt: skip
    if lesson.targets is not None:
        targets = lesson.targets(rows, ids, None if own is None else own.rows)
    return learner(ids, counted, lesson.objective, targets, own)


def _write(
    lesson: Lesson, student: nn.Module, mine: Tensor, ids: Tensor, counted: Tensor,
    draws: torch.Generator,
) -> Own:  # fmt: skip
    """Let the student write its rows, in place; which rows these are, and what counts."""
    rollouts = lesson.rollouts
    assert rollouts is not None
    if mine.any():
        prompt, new = rollouts.prompt_tokens, rollouts.new_tokens
        texts = sample_batch(
            student, ids[mine, :prompt], new,
            temperature=rollouts.temperature, eos_id=None, generator=draws,
        )  # fmt: skip
        ids[mine, : prompt + new] = texts.ids
        counted = torch.where(mine[:, None], rollouts.counted(ids.shape[1]), counted)
    return Own(mine, counted, rollouts.single_sample)
