"""The controls: what distillation has to beat.

A control is the same student, from the same initial weights and on the same text, without a
teacher. Which there are, and for how many steps each is trained, is decided here and nowhere else.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from kdlib.jobs.context import RunContext
from kdlib.losses.objectives import Objective
from kdlib.training.run_folder import read_state
from kdlib.training.schedule import Training

WITHOUT_TEACHER = Objective.from_lambda(0.0)


def wanted_controls(context: RunContext) -> list[str]:
    """The names of the recipe's controls, in the order in which they can be trained."""
    controls = context.recipe.controls
    # The equal-time control needs the equal-steps one, which shows how long a step takes.
    wanted = {
        "control_equal_steps": controls.equal_steps or controls.equal_time,
        "control_equal_time": controls.equal_time,
    }
    return [name for name in CONTROL_STEPS if wanted[name]]


def _equal_steps(context: RunContext) -> int:
    """As many steps as the student."""
    return context.recipe.student.training.steps


def _equal_time(context: RunContext) -> int:
    """As many steps without a teacher as fit into the student's time with one."""
    seconds = read_state(context.folder)["seconds"]
    return steps_of_equal_time(seconds, context.recipe.student.training.steps)


def steps_of_equal_time(seconds: dict[str, float], steps: int) -> int:
    r"""How many steps of a control take as long as the student's training with its teacher.

    .. math:: n = S \, \frac{t_{\text{teacher pass}} + t_{\text{student}}}{t_{\text{control}}}

    rounded, and at least 1, where :math:`t_{\text{control}}` are the seconds of the equal-steps
    control.

    Args:
        seconds: by phase, from the run's state.
        steps: :math:`S`, the steps of the student and of the equal-steps control.
    """
    with_teacher = seconds["teacher_pass"] + seconds["student"]
    return max(1, round(steps * with_teacher / seconds["control_equal_steps"]))


CONTROL_STEPS: dict[str, Callable[[RunContext], int]] = {
    "control_equal_steps": _equal_steps,
    "control_equal_time": _equal_time,
}


def control_training(context: RunContext, name: str) -> Training:
    """How the control is trained: as the student, for its own number of steps.

    Args:
        context: the run; the control of equal time needs those before it to have been trained.
        name: one of `CONTROL_STEPS`.
    """
    return dataclasses.replace(context.recipe.student.training, steps=CONTROL_STEPS[name](context))
