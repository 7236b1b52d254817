"""What travels together through a training: what a model reads, and what it is to learn from it."""

from __future__ import annotations

from dataclasses import dataclass

from kdlib.data.blocks import Blocks
from kdlib.losses.objectives import Objective
from kdlib.teachers.targets import TeacherTargets
from kdlib.training.schedule import Training


@dataclass(frozen=True)
class Task:
    """What one model is to learn.

    Args:
        blocks: the training text.
        validation: the text that the loop looks at now and then, and never learns from.
        objective: what is minimised.
        training: steps, batch, learning rate and the rest.
        targets: the teacher's word on `blocks`; None for a model without a teacher.
    """

    blocks: Blocks
    validation: Blocks
    objective: Objective
    training: Training
    targets: TeacherTargets | None = None
