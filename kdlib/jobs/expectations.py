"""What a run will take: counted before its first step."""

from __future__ import annotations

from torch import nn

from kdlib.jobs.classroom import Classroom
from kdlib.jobs.compute import (
    ahead,
    in_training,
    operations_of,
    steps_of_equal_compute,
    writing_of,
    written,
)
from kdlib.jobs.controls import steps_of_equal_tokens
from kdlib.jobs.learners import learners
from kdlib.jobs.targets import targets_class
from kdlib.models.from_scratch import parameter_count, trainable_count
from kdlib.teachers.base import TeacherTargets
from kdlib.teachers.live import PrecomputedTargets, hidden_bytes

WEIGHT_BYTES = 4  # float32
# Of each weight that is trained: its gradient and AdamW's two moments.
TRAINED_BYTES = 3 * WEIGHT_BYTES


def expected_operations(classroom: Classroom, student: nn.Module) -> int:
    """Operations of the teacher's pass and of all trainings but the patient control's.

    Nobody knows yet how patient that one will be.

    Args:
        classroom: teacher and text.
        student: any model of the student's shape; its weights do not matter.
    """
    recipe, kind = classroom.context.recipe, _targets_class(classroom)
    teacher, learner = classroom.teacher_operations, operations_of(student, classroom.blocks)
    training = recipe.student.training
    steps, read = training.steps, training.steps * training.batch
    before = len(classroom.teachers_blocks) * ahead(kind, teacher)
    rollouts = recipe.on_policy.rollouts(recipe.data.block)
    own = 0 if rollouts is None else written(read, rollouts)
    off_policy = read * (learner.training + in_training(kind, teacher))
    taught = off_policy + own * (
        teacher.forward - in_training(kind, teacher) + writing_of(student, rollouts)
    )
    alone = read * learner.training
    longer = steps_of_equal_compute(before + taught, steps, alone)
    costs = {
        "student": taught,
        "off_policy_equal_tokens": off_policy * steps_of_equal_tokens(recipe) // steps,
        "off_policy_equal_compute": off_policy
        * steps_of_equal_compute(taught, steps, off_policy)
        // steps,
        "control_equal_steps": alone,
        "control_equal_compute": alone * longer // steps,
        "control_patient": 0,
    }
    return before + sum(costs[each.role] for each in learners(recipe))


def expected_bytes(classroom: Classroom, student: nn.Module) -> int:
    """The least memory that the student's training takes.

    That is the weights of both, the student's gradients and optimiser, and the teacher's hidden
    states if they are precomputed. What a step needs for a moment comes on top of it.

    Args:
        classroom: teacher and text.
        student: any model of the student's shape; its weights do not matter.
    """
    weights = sum(p.numel() * p.element_size() for p in classroom.teacher.parameters())
    weights += training_bytes(student)
    if _targets_class(classroom) is PrecomputedTargets:
        return weights + hidden_bytes(classroom.teacher, classroom.blocks)
    return weights


def training_bytes(student: nn.Module) -> int:
    """What a model that learns holds from step to step: its weights, and of those that are trained
    their gradients and AdamW's two moments.

    Args:
        student: any model of the student's shape, with the student's adapters.
    """
    return WEIGHT_BYTES * parameter_count(student) + TRAINED_BYTES * trainable_count(student)


def _targets_class(classroom: Classroom) -> type[TeacherTargets]:
    """Which kind of targets the student will learn from."""
    return targets_class(classroom.context.recipe, classroom.teacher, classroom.blocks)
