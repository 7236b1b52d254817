"""The rules: which settings are free, what may be read and asked, and what a training may cost.

They are checked before the first step, so that nobody trains for nothing, and what the run has
recorded is checked again before an entry is written.
"""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path
from typing import Any, NamedTuple

from kdlib.challenge.definition import NO_CONTROLS, Challenge
from kdlib.errors import UserError
from kdlib.jobs.classroom import Classroom
from kdlib.jobs.compute import ahead, operations_of
from kdlib.jobs.context import RunText
from kdlib.jobs.expectations import expected_operations
from kdlib.jobs.fields import values_of
from kdlib.jobs.recipe import Recipe
from kdlib.jobs.students import student_shape
from kdlib.jobs.targets import targets_class
from kdlib.jobs.text_guard import text_checksums
from kdlib.models.from_scratch import parameter_count

# All that an entry may choose. Whatever is not named here is as the challenge has it.
FREE = (
    "student.size.", "student.training.", "objective.", "targets.kind", "targets.k", "targets.seed",
    "on_policy.", "device", "precision", "compile", "loss_pass",
)  # fmt: skip
# What makes no difference to an entry: no control is trained, and where the log goes is nobody's concern.
IGNORED = ("controls.", "log.")
WEIGHTS = "model.safetensors"


class Cost(NamedTuple):
    """What one training takes.

    Attributes:
        operations: of student and teacher, as counted.
        parameters: of the student.
        most_steps: as many as the budget allows at this batch and this shape.
    """

    operations: int
    parameters: int
    most_steps: int


def free_settings(recipe: Recipe) -> dict[str, Any]:
    """What a recipe has chosen, by dotted name; a value that is left open is left out."""
    chosen = {each.name: each.value for each in values_of(recipe) if each.name.startswith(FREE)}
    return {name: value for name, value in chosen.items() if value is not None}


def admitted(challenge: Challenge, recipe: Recipe) -> Recipe:
    """The recipe as the challenge trains it: without controls, once per seed.

    Args:
        challenge: what is fixed.
        recipe: what was asked for.

    Raises:
        UserError: for a setting that is not free.
    """
    fixed = {each.name: each.value for each in values_of(challenge.base)}
    # As the recipe in a run's folder has them, which people hand in, too.
    first, count = challenge.seeds.start, len(challenge.seeds)
    trained = {"seed": first, "seeds": count}
    for name, value, _ in values_of(recipe):
        free = name.startswith((*FREE, *IGNORED))
        if not free and value not in (fixed[name], trained.get(name, fixed[name])):
            raise UserError(
                f"{name}: {value!r} is not the challenge's, which is {fixed[name]!r} for every"
                f" entry; write that, or begin with `kdlib recipe pocket`{_why(name)}"
            )
    return dataclasses.replace(recipe, controls=NO_CONTROLS, seed=first, seeds=count)


def _why(name: str) -> str:
    """What a refusal adds where the reason is not plain."""
    if name in ("seed", "seeds"):
        return ". (Seeds that one may choose are seeds that one may pick.)"
    if name in ("data.test", "data.test_fraction"):
        return ". (The test is measured when an entry is accepted, and never before.)"
    return ""


def check_text(challenge: Challenge, text: RunText) -> None:
    """Refuse another text than the challenge's, whatever it is called.

    Raises:
        UserError: naming the part that differs.
    """
    wanted = {
        "student_training": challenge.lesson_sha256,
        "validation": challenge.validation_sha256,
        "test": challenge.test_sha256,
    }
    found = text_checksums(text)
    for part, sha256 in wanted.items():
        if found[part] != sha256:
            raise UserError(
                f"text: the {part} documents have the checksum {found[part][:12]}, the challenge's"
                f" {sha256[:12]}; install the version of the text that constraints.txt names"
            )


def check_teacher(challenge: Challenge, folder: Path) -> None:
    """Refuse other weights than the shipped teacher's.

    Raises:
        UserError: if they differ, or are not there.
    """
    weights = folder / WEIGHTS
    if not weights.is_file():
        raise UserError(f"teacher: {folder} has no {WEIGHTS}")
    with open(weights, "rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != challenge.teacher_sha256:
        raise UserError(
            f"teacher: {weights} has the checksum {found[:12]}, the challenge's teacher"
            f" {challenge.teacher_sha256[:12]}; put the shipped file back"
        )


def check_cost(challenge: Challenge, classroom: Classroom) -> Cost:
    """Count what a training will take, and refuse what is too large or too dear.

    Args:
        challenge: what is allowed.
        classroom: of the recipe.

    Returns:
        What it will take.

    Raises:
        UserError: for a parameter or an operation too many.
    """
    model = student_shape(classroom.context, classroom.teacher, classroom.tokenizer)
    parameters = parameter_count(model)
    if parameters > challenge.parameters:
        raise UserError(
            f"student.size: {parameters:,} parameters are {parameters - challenge.parameters:,} more"
            f" than the {challenge.parameters:,} of the challenge; make it narrower or shallower"
        )
    spent, most = planned(classroom), _most_steps(challenge, classroom)
    if spent > challenge.operations:
        raise UserError(
            f"student.training.steps: {spent:,} operations are {spent - challenge.operations:,} more"
            f" than the {challenge.operations:,} of the challenge; {max(most, 0)} steps are the most"
            " at this batch and size"
        )
    return Cost(spent, parameters, most)


def asks_teacher(recipe: Recipe) -> bool:
    """Whether the student learns anything from the teacher."""
    return recipe.objective.objective().teacher_weight > 0


def planned(classroom: Classroom, steps: int | None = None) -> int:
    """Operations of one training with its teacher's passes, counted before the first step.

    Args:
        classroom: of the recipe.
        steps: of the training; the recipe's if left out.
    """
    context = classroom.context
    student = context.recipe.student
    training = student.training
    if steps is not None:
        training = dataclasses.replace(training, steps=steps)
    shape = student_shape(context, classroom.teacher, classroom.tokenizer)
    if not asks_teacher(context.recipe):
        reading = operations_of(shape, classroom.blocks).training
        return training.steps * training.batch * reading
    # Of a single student without controls, all that a run is expected to take.
    recipe = dataclasses.replace(
        context.recipe,
        student=dataclasses.replace(student, training=training),
        controls=NO_CONTROLS,
        seeds=1,
    )
    alone = dataclasses.replace(context, recipe=recipe)
    return expected_operations(dataclasses.replace(classroom, context=alone), shape)


def _most_steps(challenge: Challenge, classroom: Classroom) -> int:
    """As many steps as the budget allows."""
    recipe = classroom.context.recipe
    steps, once = recipe.student.training.steps, 0
    if asks_teacher(recipe):
        kind = targets_class(recipe, classroom.teacher, classroom.blocks)
        once = len(classroom.teachers_blocks) * ahead(kind, classroom.teacher_operations)
    each = (planned(classroom) - once) / steps
    most = int((challenge.operations - once) / each)
    # Whole texts of the student's own and a teacher that pays only from a second epoch on bend the line.
    while most > 0 and planned(classroom, most) > challenge.operations:
        most -= 1
    return most


def check_spent(challenge: Challenge, operations: dict[str, int], learner: str) -> int:
    """Add up what a run has recorded for one training, and refuse more than the budget.

    Args:
        challenge: what is allowed.
        operations: by phase, of the run's state.
        learner: the training's name there.

    Returns:
        Operations of the training and of the teacher's pass before it.

    Raises:
        UserError: for an operation too many.
    """
    spent = operations[learner] + operations.get("teacher_pass", 0)
    if spent > challenge.operations:
        raise UserError(
            f"{learner}: the run has counted {spent:,} operations, the challenge allows"
            f" {challenge.operations:,}; train fewer steps"
        )
    return spent
