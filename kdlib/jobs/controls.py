"""The controls: what distillation has to beat, and for how many steps each is trained.

A control is the same student, from the same initial weights and on the same text, without a
teacher. Three rivals, each stronger than the one before:

- `control_equal_steps` takes as many steps as the student;
- `control_equal_compute` as many as the operations of teacher pass and student allow;
- `control_patient` as many as lower the loss on the validation text (see ``patience.py``).
"""

from __future__ import annotations

import dataclasses

from kdlib.jobs.compute import steps_of_equal_compute
from kdlib.jobs.context import RunContext
from kdlib.losses.objectives import Objective
from kdlib.models.operations import BlockOperations
from kdlib.training.run_state import read_state
from kdlib.training.schedule import Training

WITHOUT_TEACHER = Objective.from_lambda(0.0)


def control_training(context: RunContext, role: str, student: BlockOperations) -> Training:
    """How a control is trained: as the student, for its own number of steps.

    Args:
        context: the run, whose student of the first seed is finished.
        role: "control_equal_steps" or "control_equal_compute".
        student: what it takes to read one block.
    """
    training = context.recipe.student.training
    if role == "control_equal_steps":
        return training
    spent = read_state(context.folder)["operations"]
    alone = training.steps * training.batch * student.training
    # A teacher that is asked in each step makes no pass ahead.
    owed = spent.get("teacher_pass", 0) + spent["student"]
    steps = steps_of_equal_compute(owed, training.steps, alone)
    return dataclasses.replace(training, steps=steps)
