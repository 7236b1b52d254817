"""What the phases decide between them. The phases themselves run in test_end_to_end.py."""

from types import SimpleNamespace

import pytest
import torch
from accelerate import Accelerator

from kdlib.data.blocks import Blocks
from kdlib.jobs.controls import steps_of_equal_time
from kdlib.jobs.recipe import Recipe, StudentSettings
from kdlib.jobs.targets import exact_targets
from kdlib.models.from_scratch import ModelSize, new_model
from kdlib.models.frozen import freeze
from kdlib.teachers.live import LiveTargets, PrecomputedTargets
from kdlib.training.schedule import Training


def test_equal_time_counts_the_teachers_pass():
    seconds = {"teacher_pass": 20.0, "student": 100.0, "control_equal_steps": 60.0}
    assert steps_of_equal_time(seconds, 500) == 1000


def test_equal_time_is_at_least_a_step():
    seconds = {"teacher_pass": 0.0, "student": 0.1, "control_equal_steps": 60.0}
    assert steps_of_equal_time(seconds, 10) == 1


@pytest.mark.parametrize(("steps", "remembers"), [(2, False), (3, True)])
def test_teacher_is_remembered_only_where_it_is_asked_twice(steps, remembers):
    teacher = freeze(new_model(ModelSize(16, 1, 2), 20, 32, seed=0))
    ids = torch.zeros(8, 9, dtype=torch.int64)
    recipe = Recipe(student=StudentSettings(training=Training(steps, batch=4)))
    context = SimpleNamespace(recipe=recipe, accelerator=Accelerator(cpu=True))
    made = exact_targets(context, teacher, Blocks(ids, torch.ones_like(ids), 1))
    assert type(made) is (PrecomputedTargets if remembers else LiveTargets)
