"""The patient control: the best that can be had from the student's text without a teacher.

A student that reads a small text again and again gets better, and then worse, as it learns the text
by heart. So this control is trained for twice as many steps, again for twice as many, and so on,
each time from the start and with a whole learning-rate schedule, until the loss on the validation
text no longer falls. The best of these trainings is kept. (To stop one long training early would be
cheaper and is weaker: the learning rate would still be high where it stops.)
"""

from __future__ import annotations

import dataclasses
import os
import shutil
from functools import partial
from pathlib import Path

from kdlib.errors import UserError
from kdlib.files import atomic_folder
from kdlib.jobs.classroom import Classroom
from kdlib.jobs.controls import WITHOUT_TEACHER
from kdlib.jobs.learners import Learner, learner
from kdlib.jobs.phases import learn, train_control
from kdlib.machine.distributed import run_on_main
from kdlib.training.metrics import METRICS, Metrics
from kdlib.training.run_state import read_state, write_state


def train_patiently(classroom: Classroom, patient: Learner) -> None:
    """Train the patient control, and save it.

    Each of its trainings leaves a folder, so that an interrupted run resumes where it was.

    Args:
        classroom: the text; the teacher is not asked.
        patient: the control's name and seed.

    Raises:
        Interrupted: after a signal, once a checkpoint is written.
    """
    folder = classroom.context.folder
    if not run_on_main(partial(_is_decided, folder, patient.name)):
        _search(classroom, patient)
    run_on_main(partial(_keep, folder, patient.name))


def _search(classroom: Classroom, patient: Learner) -> None:
    """Train for more and more steps, and record which training was the best."""
    recipe, folder = classroom.context.recipe, classroom.context.folder
    best = learner(recipe, "control_equal_steps", patient.seed)
    if not classroom.context.models.has(best.name):
        train_control(classroom, best)
    tried, steps = [best.name], recipe.student.training.steps
    while tried[-1] == best.name:
        steps *= 2
        name = f"{patient.name}_{steps}"
        _train(classroom, Learner(patient.role, patient.seed, name), steps)
        tried.append(name)
        if run_on_main(partial(_is_better, folder, name, best.name)):
            best = best._replace(name=name)
    run_on_main(partial(_record, folder, patient.name, best.name, tried[1:]))


def _train(classroom: Classroom, attempt: Learner, steps: int) -> None:
    """One of the trainings, unless it is finished."""
    if classroom.context.models.has(attempt.name):
        return
    training = dataclasses.replace(classroom.context.recipe.student.training, steps=steps)
    task = classroom.task(WITHOUT_TEACHER, training)
    learn(classroom, attempt, classroom.new_learner(attempt.seed), task)


def _is_better(folder: Path, one: str, other: str) -> bool:
    """Whether the first of two trainings ends with the lower validation loss."""
    return _validation(folder, one) < _validation(folder, other)


def _validation(folder: Path, name: str) -> float:
    """The validation loss at the end of a training, in nats per token."""
    losses = [row.get("validation") for row in Metrics(folder).rows() if row["phase"] == name]
    if not losses or losses[-1] is None:
        raise UserError(
            f"{folder / METRICS}: the validation loss at the end of {name} is missing, so nobody can"
            f" say which training was the best; delete {folder / name} and use --resume"
        )
    return float(losses[-1])


def _record(folder: Path, patient: str, best: str, tried: list[str]) -> None:
    """Record what all trainings took, what the best read, and which it was."""
    state = read_state(folder)
    for records in (state["seconds"], state["operations"]):
        records[patient] = sum(records[name] for name in tried)
    state["training"][patient] = state["training"][best]
    state["best_of"] = state.get("best_of", {}) | {patient: best}
    write_state(folder, state)


def _is_decided(folder: Path, patient: str) -> bool:
    """Whether it is known which training was the best."""
    return patient in read_state(folder).get("best_of", {})


def _keep(folder: Path, patient: str) -> None:
    """Delete all trainings but the best, and name that one after the control."""
    # The control's folder comes last: as long as it is missing, a killed run does the rest again.
    best = folder / read_state(folder)["best_of"][patient]
    attempts = set(folder.glob(f"{patient}_*"))
    for attempt in attempts - {best}:
        shutil.rmtree(attempt)
    if best in attempts:
        os.replace(best, folder / patient)
        return
    with atomic_folder(folder / patient) as draft:  # of the control of equal steps, which stays
        shutil.copytree(best, draft, dirs_exist_ok=True)
