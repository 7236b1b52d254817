"""What each phase of a run takes in operations: counted, so that it is the same wherever it runs.

A second is no measure of what a control is owed. On a machine that becomes busy halfway through,
seconds of the student and seconds of a control are not the same thing. Operations are: they follow
from the models' shapes and from the text. Only matrix products are counted; softmaxes, norms and
the optimiser's step are left out for all learners alike.
"""

from __future__ import annotations

from torch import nn

from kdlib.data.blocks import Blocks
from kdlib.models.lora import adapters_of
from kdlib.models.operations import BlockOperations, block_operations, writing_operations
from kdlib.teachers.base import TeacherTargets
from kdlib.teachers.live import LiveTargets, PrecomputedTargets
from kdlib.training.rollouts import Rollouts
from kdlib.training.task import Task


def operations_of(model: nn.Module, blocks: Blocks) -> BlockOperations:
    """What the model takes to read one of these blocks."""
    return block_operations(model.config, blocks.mean_length, adapters_of(model))


def before_training(targets: TeacherTargets, teacher: BlockOperations, blocks: int) -> int:
    """Operations of the teacher's pass ahead of the student's training.

    Args:
        targets: what the pass has made.
        teacher: what it takes to read one block.
        blocks: how many it reads.
    """
    return blocks * ahead(type(targets), teacher)


def of_training(
    task: Task, learner: BlockOperations, teacher: BlockOperations, writing: int = 0
) -> int:
    """Operations of a whole training.

    Args:
        task: its steps, batch and targets, and what the learner writes itself.
        learner: what the one who learns takes to read one block.
        teacher: what the teacher takes to read one block.
        writing: what the one who learns takes to write one text.
    """
    blocks = task.training.steps * task.training.batch
    if task.targets is None:
        return blocks * learner.training
    own = 0 if task.rollouts is None else written(blocks, task.rollouts)
    asked = (blocks - own) * in_training(type(task.targets), teacher) + own * teacher.forward
    return blocks * learner.training + asked + own * writing


def written(rows: int, rollouts: Rollouts) -> int:
    """How many rows of a training the student writes itself, if no block is too short for it.

    Args:
        rows: of all steps together.
        rollouts: which of them the student writes.
    """
    return int(rows * rollouts.share + 1e-9)


def writing_of(model: nn.Module, rollouts: Rollouts | None) -> int:
    """What it takes the model to write one text; 0 if it writes none."""
    if rollouts is None:
        return 0
    return writing_operations(
        model.config, rollouts.prompt_tokens, rollouts.new_tokens, adapters_of(model)
    )


def ahead(targets: type[TeacherTargets], teacher: BlockOperations) -> int:
    """The teacher's operations per block of the text, before the student's first step.

    Args:
        targets: which kind of targets the student learns from.
        teacher: what the teacher takes to read one block.
    """
    if issubclass(targets, LiveTargets):
        return 0
    return teacher.body if issubclass(targets, PrecomputedTargets) else teacher.forward


def in_training(targets: type[TeacherTargets], teacher: BlockOperations) -> int:
    """The teacher's operations per block that the student reads.

    Args:
        targets: which kind of targets the student learns from.
        teacher: what the teacher takes to read one block.
    """
    if issubclass(targets, LiveTargets):
        return teacher.forward
    # Of precomputed hidden states the logits are made anew each time: they would not fit in memory.
    return teacher.head if issubclass(targets, PrecomputedTargets) else 0


def steps_of_equal_compute(student: int, steps: int, twin: int) -> int:
    r"""As many steps of a twin as the student's training would pay for.

    .. math:: n = \left\lfloor S \, \frac{O_{\text{student}}}{O_{\text{twin}}} \right\rfloor

    The teacher's own training is in neither.

    Args:
        student: :math:`O_{\text{student}}`, operations of the student's training; beside a control
            with the teacher's pass before it.
        steps: :math:`S`, the student's steps.
        twin: :math:`O_{\text{twin}}`, operations of as many steps of a training that lacks
            something: the teacher, or the student's own texts.

    Returns:
        The number of steps, at least S: what the twin lacks makes no step cheaper.
    """
    equal = steps * student // twin
    assert equal >= steps, f"a step of the student was counted as cheaper: {equal} < {steps}"
    return equal
