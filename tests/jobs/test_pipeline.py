"""What the phases decide between them. The phases themselves run in test_end_to_end.py."""

from types import SimpleNamespace

import pytest
import torch
from accelerate import Accelerator

from kdlib.data.blocks import Blocks
from kdlib.jobs.controls import control_training
from kdlib.jobs.recipe import Recipe, StudentSettings
from kdlib.jobs.targets import exact_targets
from kdlib.models.from_scratch import ModelSize, new_model
from kdlib.models.frozen import freeze
from kdlib.models.operations import BlockOperations
from kdlib.teachers.live import LiveTargets, PrecomputedTargets
from kdlib.training.run_folder import prepare_run
from kdlib.training.run_state import record_phase
from kdlib.training.schedule import Training

TRAINING = Training(steps=100, batch=4, learning_rate=0.01)
BLOCK = BlockOperations(body=2, head=1)  # so that a step of a control takes 3 * 3 * 4 = 36
ALONE = 36 * TRAINING.steps


@pytest.fixture
def context(tmp_path):
    prepare_run(tmp_path / "run", "run", "", overwrite=False)
    recipe = Recipe(student=StudentSettings(training=TRAINING))
    return SimpleNamespace(recipe=recipe, folder=tmp_path / "run")


@pytest.mark.parametrize(
    ("teacher_pass", "student", "steps"),
    [
        (0, ALONE, 100),  # a teacher read from disk, whose pass somebody else has paid for
        (ALONE, ALONE, 200),
        (36 * 7, 2 * ALONE, 207),
        (36 * 7 + 35, 2 * ALONE, 207),  # a step that is not paid for in full is not taken
    ],
)
def test_a_control_of_equal_compute_is_owed_teacher_and_student(
    context, teacher_pass, student, steps
):
    record_phase(context.folder, "teacher_pass", 1.0, teacher_pass)
    record_phase(context.folder, "student", 1e9, student)  # its seconds do not matter
    training = control_training(context, "control_equal_compute", BLOCK)
    assert training == Training(steps=steps, batch=4, learning_rate=0.01)


def test_a_control_of_equal_steps_is_trained_as_the_student(context):
    assert control_training(context, "control_equal_steps", BLOCK) == TRAINING


@pytest.mark.parametrize(("steps", "remembers"), [(2, False), (3, True)])
def test_teacher_is_remembered_only_where_it_is_asked_twice(steps, remembers):
    teacher = freeze(new_model(ModelSize(16, 1, 2), 20, 32, seed=0))
    ids = torch.zeros(8, 9, dtype=torch.int64)
    recipe = Recipe(student=StudentSettings(training=Training(steps, batch=4)))
    context = SimpleNamespace(recipe=recipe, accelerator=Accelerator(cpu=True))
    made = exact_targets(context, teacher, Blocks(ids, torch.ones_like(ids), 1))
    assert type(made) is (PrecomputedTargets if remembers else LiveTargets)
