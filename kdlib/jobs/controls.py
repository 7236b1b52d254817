"""The student's twins: what distillation has to beat, and for how many steps each is trained.

All start from the student's initial weights and read the same text. A control has no teacher.
Three, each a stronger rival than the one before:

- `control_equal_steps` takes as many steps as the student;
- `control_equal_compute` as many as the operations of teacher pass and student allow;
- `control_patient` as many as lower the loss on the validation text (see ``patience.py``).

Does a student gain by writing a share of its texts itself? Its rivals there are taught by the same
teacher, on given text only:

- `off_policy_equal_tokens` is told the teacher's opinion of as many tokens;
- `off_policy_equal_compute` takes as many steps as the operations of the student allow, its writing
  among them.
"""

from __future__ import annotations

import dataclasses

from kdlib.jobs.compute import steps_of_equal_compute
from kdlib.jobs.context import RunContext
from kdlib.jobs.recipe import Recipe
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


def off_policy_training(context: RunContext, role: str, operations: int) -> Training:
    """How a student is trained that reads given text only.

    Args:
        context: the run, whose student of the first seed is finished.
        role: "off_policy_equal_tokens" or "off_policy_equal_compute".
        operations: of the student's number of steps without its writing.
    """
    training = context.recipe.student.training
    if role == "off_policy_equal_tokens":
        steps = steps_of_equal_tokens(context.recipe)
    else:
        spent = read_state(context.folder)["operations"]["student"]
        steps = steps_of_equal_compute(spent, training.steps, operations)
    return dataclasses.replace(training, steps=steps)


def steps_of_equal_tokens(recipe: Recipe) -> int:
    r"""As many steps on given text as show the teacher the tokens of a training with own texts.

    .. math:: n = \left\lfloor S \, \frac{(1 - s) B + s N}{B} \right\rfloor

    of :math:`S` steps, where a share :math:`s` of the blocks of :math:`B` tokens holds :math:`N`
    that the student wrote, and only these count.
    """
    rollouts, block = recipe.on_policy.rollouts(recipe.data.block), recipe.data.block
    if rollouts is None:
        return recipe.student.training.steps
    told = (1 - rollouts.share) * block + rollouts.share * rollouts.new_tokens
    return max(1, int(recipe.student.training.steps * told / block + 1e-9))
