"""What a lesson takes in operations, and how many steps of another one they would pay for."""

from __future__ import annotations

from torch import nn

from kdlib.claims.grounds.learning import Lesson
from kdlib.jobs.compute import before_training, of_training, operations_of, writing_of
from kdlib.training.schedule import Training
from kdlib.training.task import Task


def operations(lesson: Lesson, student: nn.Module, teacher: nn.Module) -> int:
    """Counted matrix products: the teacher's pass ahead, reading, learning, judging, writing."""
    learner, asked = (operations_of(model, lesson.blocks) for model in (student, teacher))
    task = Task(
        lesson.blocks, lesson.blocks, lesson.objective, Training(lesson.steps, lesson.batch),
        lesson.targets, lesson.rollouts,
    )  # fmt: skip
    ahead = 0
    if lesson.targets is not None:
        ahead = before_training(lesson.targets, asked, len(lesson.blocks))
    return ahead + of_training(task, learner, asked, writing_of(student, lesson.rollouts))


def equal_steps(dear: Lesson, cheap: Lesson, student: nn.Module, teacher: nn.Module) -> int:
    """Steps of the cheap lesson that take as many operations as all of the dear one.

    Args:
        dear: whose operations are to be spent.
        cheap: its steps count for nothing.
        student: who learns.
        teacher: whose targets they are.
    """
    spent = operations(dear, student, teacher)
    ahead = operations(cheap._replace(steps=1), student, teacher)
    two = operations(cheap._replace(steps=2), student, teacher)
    a_step = two - ahead
    return (spent - (ahead - a_step)) // a_step
