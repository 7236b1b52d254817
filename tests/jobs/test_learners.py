"""Who learns in a run, in which order, and under which name."""

from dataclasses import replace

import pytest

from kdlib.jobs.learners import learner, learners, seeds, wanted_twins
from kdlib.jobs.on_policy_settings import OnPolicy
from kdlib.jobs.recipe import Controls, Recipe

ALL = Controls(equal_steps=True, equal_compute=True, patient=True)
NONE = Controls(equal_steps=False, equal_compute=False, patient=False)


def names(**settings):
    return [each.name for each in learners(Recipe(**settings))]


def test_the_student_comes_first_and_the_controls_in_the_order_of_their_strength():
    """The second control is owed what the student took, and the third begins with the first."""
    assert names(controls=ALL) == [
        "student",
        "control_equal_steps",
        "control_equal_compute",
        "control_patient",
    ]


@pytest.mark.parametrize(
    ("controls", "wanted"),
    [
        (Controls(), ["control_equal_steps", "control_equal_compute"]),
        (NONE, []),
        (Controls(equal_steps=False), ["control_equal_compute"]),
        (Controls(equal_steps=False, equal_compute=False, patient=True), ["control_patient"]),
    ],
)
def test_only_the_wanted_controls_learn(controls, wanted):
    assert wanted_twins(Recipe(controls=controls)) == wanted
    assert names(controls=controls) == ["student", *wanted]


def test_a_student_that_writes_has_itself_off_policy_as_its_first_twins():
    """They stand before the controls, and are trained only where there is a difference."""
    writes = OnPolicy(share=0.5)
    both = ["student", "off_policy_equal_tokens", "off_policy_equal_compute"]
    assert names(on_policy=writes, controls=ALL)[:4] == [*both, "control_equal_steps"]
    alone = replace(NONE, off_policy=True)
    assert names(on_policy=writes, controls=alone) == both
    assert names(on_policy=writes, controls=replace(NONE, off_policy=False)) == ["student"]
    assert names(controls=alone) == ["student"]


def test_seed_by_seed_and_the_first_by_its_role_alone():
    controls = Controls(equal_compute=False)
    found = learners(Recipe(seed=5, seeds=3, controls=controls))
    assert [tuple(each) for each in found] == [
        ("student", 5, "student"),
        ("control_equal_steps", 5, "control_equal_steps"),
        ("student", 6, "seed_6/student"),
        ("control_equal_steps", 6, "seed_6/control_equal_steps"),
        ("student", 7, "seed_7/student"),
        ("control_equal_steps", 7, "seed_7/control_equal_steps"),
    ]


def test_more_seeds_add_learners_and_change_none():
    """So that a run of one seed and the first seed of a run of three are the same training."""
    assert names(seed=2, seeds=3)[: len(names(seed=2))] == names(seed=2)
    assert list(seeds(Recipe(seed=2, seeds=3))) == [2, 3, 4]
    assert learner(Recipe(seed=0, seeds=2), "student", 1).name == "seed_1/student"
