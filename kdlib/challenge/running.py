"""Training an entry: three students by the run's own phases, and their losses on the validation text.

A call that was stopped leaves the run's folder, and the next one goes on there. The test documents
are not scored here; `acceptance.py` does that.
"""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from kdlib.challenge.definition import Challenge
from kdlib.challenge.entry import new_record
from kdlib.challenge.rules import (
    Cost,
    admitted,
    asks_teacher,
    check_cost,
    check_spent,
    check_teacher,
    check_text,
)
from kdlib.data.blocks import Blocks
from kdlib.errors import UserError
from kdlib.files import locked
from kdlib.jobs.classroom import Classroom, open_classroom
from kdlib.jobs.context import RunModels, open_context
from kdlib.jobs.controls import WITHOUT_TEACHER
from kdlib.jobs.learners import Learner, learners
from kdlib.jobs.phases import learn, train_student
from kdlib.jobs.pipeline import begin_run
from kdlib.jobs.recipe import Recipe
from kdlib.jobs.recipe_files import differing_fields, recipe_of_run
from kdlib.jobs.text_guard import refuse_another_text
from kdlib.jobs.threads import note_threads, threads_of
from kdlib.machine.devices import library_versions, processor_name
from kdlib.models.folders import load_model
from kdlib.reports.layout import layout_of
from kdlib.reports.scores import score_text
from kdlib.training.run_folder import CHECKPOINT, is_run
from kdlib.training.run_state import read_state


class Attempt(NamedTuple):
    """A recipe that keeps the rules, and is ready to be trained.

    Attributes:
        challenge: whose rules.
        name: of the entry.
        classroom: its teacher and its text.
        cost: what one training will take.
    """

    challenge: Challenge
    name: str
    classroom: Classroom
    cost: Cost

    @property
    def recipe(self) -> Recipe:
        """As it is trained."""
        return self.classroom.context.recipe

    @property
    def folder(self) -> Path:
        """The run's."""
        return self.classroom.context.folder


def open_attempt(challenge: Challenge, recipe: Recipe, folder: Path, name: str) -> Attempt:
    """Check a recipe by all rules. Nothing is written.

    Args:
        challenge: whose rules.
        recipe: what was asked for.
        folder: of the run, which `train` makes or goes on with.
        name: of the entry.

    Raises:
        UserError: naming the rule that is broken.
    """
    return _opened(challenge, admitted(challenge, recipe), folder, name)


def open_single(challenge: Challenge, recipe: Recipe, folder: Path, name: str) -> Attempt:
    """The same for one training with the tuning seed, which makes no entry."""
    entry = admitted(challenge, recipe)
    once = dataclasses.replace(entry, seed=challenge.tuning_seed, seeds=1)
    return _opened(challenge, once, folder, name)


def _opened(challenge: Challenge, recipe: Recipe, folder: Path, name: str) -> Attempt:
    check_teacher(challenge, RunModels(recipe, folder).teacher)
    context = open_context(recipe, folder)
    if context.accelerator.num_processes > 1:
        raise UserError("challenge: it runs in one process; start it without torchrun")
    check_text(challenge, context.text)
    classroom = open_classroom(context)
    return Attempt(challenge, name, classroom, check_cost(challenge, classroom))


def train(attempt: Attempt) -> np.ndarray:
    """Train what is not trained yet, and score it on the validation documents.

    Args:
        attempt: a recipe that keeps the rules.

    Returns:
        (S, D) summed surprise of each training on each document, nats.

    Raises:
        UserError: for a folder that holds another run or none; if a run has recorded more operations
            than the budget.
        Interrupted: after a signal, once a checkpoint is written.
    """
    classroom, folder = attempt.classroom, attempt.folder
    device = classroom.context.accelerator.device
    with threads_of(folder if is_run(folder) else None, device) as threads:
        _begin(attempt)
        with locked(folder):
            note_threads(folder, threads)
            for learner in learners(attempt.recipe):
                if not classroom.context.models.has(learner.name):
                    _train(classroom, learner)
                check_spent(attempt.challenge, read_state(folder)["operations"], learner.name)
            (folder / CHECKPOINT).unlink(missing_ok=True)
        return exam(attempt, classroom.validation)


def _begin(attempt: Attempt) -> None:
    """Make the run's folder, or see that the one that is there is of this recipe and this text."""
    context, folder = attempt.classroom.context, attempt.folder
    if is_run(folder):
        if differing := differing_fields(recipe_of_run(folder), attempt.recipe):
            raise UserError(
                f"out: {folder} was begun with another {', '.join(differing)}; give the recipe"
                " another name, give another --out, or add --overwrite"
            )
        refuse_another_text(context)
        return
    begin_run(context, attempt.name)


def _train(classroom: Classroom, learner: Learner) -> None:
    """One student. One that learns nothing from the teacher does not ask it, either."""
    recipe = classroom.context.recipe
    if asks_teacher(recipe):
        train_student(classroom, learner)
    else:
        task = classroom.task(WITHOUT_TEACHER, recipe.student.training)
        learn(classroom, learner, classroom.new_learner(learner.seed), task)


def exam(attempt: Attempt, blocks: Blocks) -> np.ndarray:
    """The students of a finished run on a text.

    Args:
        attempt: whose students.
        blocks: the text.

    Returns:
        (S, D) summed surprise of each training on each document, nats.
    """
    context, layout = attempt.classroom.context, layout_of(blocks)
    rows = []
    with threads_of(context.folder, context.accelerator.device):
        for learner in learners(attempt.recipe):
            model = load_model(context.folder / learner.name)
            losses = score_text(learner.name, model, blocks, context.accelerator)
            rows.append(layout.by_unit(losses))
    return np.stack(rows)


def record_of(attempt: Attempt, nats: np.ndarray) -> dict[str, Any]:
    """The entry's record, without a test.

    Args:
        attempt: a finished run.
        nats: what `train` has returned.
    """
    state = read_state(attempt.folder)
    validation, text = attempt.classroom.validation, attempt.classroom.context.text
    names = [learner.name for learner in learners(attempt.recipe)]
    spent = [check_spent(attempt.challenge, state["operations"], name) for name in names]
    return new_record(
        attempt.challenge,
        attempt.name,
        attempt.recipe,
        nats,
        tokens_by_document(validation),
        documents=[document.name for document in text.splits.validation],
        parameters=attempt.cost.parameters,
        operations=max(spent),
        machine=processor_name(),
        versions=library_versions(),
        date=time.strftime("%Y-%m-%d"),
    )


def tokens_by_document(blocks: Blocks) -> np.ndarray:
    """(D,) how many tokens of each document are predicted."""
    layout = layout_of(blocks)
    return layout.by_unit(np.ones(len(layout.document)))
