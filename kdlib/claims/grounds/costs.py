"""What a lesson takes in operations, and how many steps of another one they would pay for."""

from __future__ import annotations

from torch import nn

from kdlib.claims.grounds.learning import Lesson
from kdlib.jobs.compute import before_training, of_training, operations_of, writing_of
from kdlib.training.schedule import Training
from kdlib.training.task import Task


def ahead(lesson: Lesson, teacher: nn.Module) -> int:
    """Counted matrix products of the teacher's pass over a lesson, before the first step."""
    if lesson.targets is None:
        return 0
    asked = operations_of(teacher, lesson.blocks)
    return before_training(lesson.targets, asked, len(lesson.blocks))


def operations(lesson: Lesson, student: nn.Module, teacher: nn.Module) -> int:
    """Those of the whole lesson: that pass, and in each step reading, learning, judging, writing."""
    learner, asked = (operations_of(model, lesson.blocks) for model in (student, teacher))
    task = Task(
        lesson.blocks, lesson.blocks, lesson.objective, Training(lesson.steps, lesson.batch),
        lesson.targets, lesson.rollouts,
    )  # fmt: skip
    steps = of_training(task, learner, asked, writing_of(student, lesson.rollouts))
    return ahead(lesson, teacher) + steps


def steps_for(spent: int, lesson: Lesson, student: nn.Module, teacher: nn.Module) -> int:
    """Steps of a lesson that so many operations pay for, the teacher's pass ahead among them.

    Args:
        spent: operations.
        lesson: its steps count for nothing.
        student: who learns.
        teacher: whose targets they are.
    """
    before = ahead(lesson, teacher)
    a_step = operations(lesson._replace(steps=1), student, teacher) - before
    return (spent - before) // a_step
