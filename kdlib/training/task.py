"""What one training needs: the text, the objective, the settings and the teacher's targets."""

from __future__ import annotations

from dataclasses import dataclass

from kdlib.data.blocks import Blocks
from kdlib.losses.objectives import Objective
from kdlib.teachers.base import TeacherTargets
from kdlib.training.rollouts import Rollouts
from kdlib.training.schedule import Training


@dataclass(frozen=True)
class Task:
    """What one model learns from, and how.

    Attributes:
        blocks: the training text.
        validation: the text of the validation loss, never trained on.
        objective: what is minimised.
        training: steps, batch size, learning rate and the other settings.
        targets: what the teacher says about `blocks`; None for a model without a teacher.
        rollouts: which of its texts the model writes itself; None if it writes none.
    """

    blocks: Blocks
    validation: Blocks
    objective: Objective
    training: Training
    targets: TeacherTargets | None = None
    rollouts: Rollouts | None = None
