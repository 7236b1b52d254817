"""What learning cost: every curve over three costs, and the sentences about them."""

import pytest
from report_cases import training_log, whole_report, without, without_controls

from kdlib.reports.fields import OFF_POLICY
from kdlib.reports.pages.costs import cost_axes, cost_remarks


@pytest.fixture
def axes():
    return cost_axes(whole_report(), training_log())


def test_three_costs_of_the_same_losses(axes):
    assert [axis.over for axis in axes] == ["optimiser steps", "operations", "minutes"]
    steps, operations, seconds = (axis.curves for axis in axes)
    for name, (xs, losses) in steps.items():
        assert xs[:4] == [100, 200, 300, 400]
        assert losses == operations[name][1] == seconds[name][1]
        assert losses[0] == pytest.approx(3.8 + 4 / (1 + 100 / 40))


def test_a_control_pays_for_each_step_and_ends_at_its_total(axes):
    xs, _ = axes[1].curves["control_equal_compute"]
    assert xs[-1] == 15e12 and xs[0] == pytest.approx(15e12 / 1250 * 100)
    xs, _ = axes[2].curves["control_equal_steps"]
    assert xs[-1] == pytest.approx(71.2 / 60) and xs[0] == pytest.approx(71.2 / 60 / 5)


def test_the_student_starts_after_the_teachers_pass(axes):
    _, operations, minutes = axes
    assert operations.head_start == 6e12
    assert operations.curves["student"][0][0] == pytest.approx(6e12 + 9e12 / 5)
    assert operations.curves["student"][0][-1] == pytest.approx(15e12)
    assert minutes.head_start == pytest.approx(24.8 / 60)
    assert minutes.curves["student"][0][-1] == pytest.approx((24.8 + 96) / 60)


def test_a_live_teacher_has_no_pass():
    report = whole_report()
    for cost in ("operations", "seconds"):
        del report[cost]["teacher_pass"]
    _, operations, minutes = cost_axes(report, training_log())
    assert operations.head_start == minutes.head_start == 0
    assert operations.curves["student"][0][-1] == pytest.approx(9e12)


def test_a_step_of_the_patient_control_costs_what_a_controls_step_costs(axes):
    """Its records hold all its attempts, its curve only the one that was kept."""
    xs, _ = axes[1].curves["control_patient"]
    assert xs[-1] == pytest.approx(6e12 / 500 * 2000)


def test_the_patient_control_has_a_curve_where_equal_steps_was_only_its_first_attempt(axes):
    report = whole_report()
    del report["control_equal_steps"]
    curves = cost_axes(report, training_log())[1].curves
    assert "control_equal_steps" not in curves
    assert curves["control_patient"] == axes[1].curves["control_patient"]


@pytest.mark.parametrize(("factor", "unit"), [(0.1, "seconds"), (1, "minutes"), (100, "hours")])
def test_time_is_told_in_a_readable_unit(factor, unit):
    report = whole_report()
    report["seconds"] = {name: factor * value for name, value in report["seconds"].items()}
    axis = cost_axes(report, training_log())[2]
    assert axis.over == unit
    seconds = {"seconds": 1, "minutes": 60, "hours": 3600}[unit]
    assert axis.curves["student"][0][-1] == pytest.approx(120.8 * factor / seconds)


def test_phases_that_are_in_no_report_have_no_curve():
    report = without(whole_report(), "control_patient")
    rows = [*training_log(), {"phase": "teacher", "step": 10, "cross_entropy": 1, "validation": 2}]
    assert set(cost_axes(report, rows)[0].curves) == {
        "student", *OFF_POLICY, "control_equal_steps", "control_equal_compute",
    }  # fmt: skip
    assert cost_axes(report, []) == []


def test_two_stories_are_both_told():
    # (6 + 9) / 6 operations, (24.8 + 96) / 71.2 seconds
    first, *_ = cost_remarks(whole_report())
    assert "2.5 times the operations" in first and "but 1.7 times the seconds" in first


def test_one_story_is_told_once():
    report = whole_report()
    report["seconds"]["control_equal_steps"] = 53.0
    first, *_ = cost_remarks(report)
    assert "2.5 times the operations" in first and "and 2.3 times the seconds" in first
    assert "but" not in first


def test_a_quarter_is_where_two_stories_begin():
    report = whole_report()
    report["seconds"] |= {"teacher_pass": 0, "student": 100.0}
    for control, word in ((100 / 2.5 * 1.24, "and"), (100 / 2.5 * 1.26, "but")):
        report["seconds"]["control_equal_steps"] = control
        assert f"{word} " in cost_remarks(report)[0].partition(",")[2]


def test_whether_the_teachers_training_is_counted_is_said():
    words = " ".join(cost_remarks(whole_report()))
    assert "The teacher's own training is not counted: it took 4 P operations and 0.4 s." in words
    report = whole_report()
    del report["operations"]["teacher"]
    assert "counted nowhere, and not known here" in " ".join(cost_remarks(report))


def test_without_controls_nothing_is_compared():
    words = " ".join(cost_remarks(without_controls()))
    assert "times" not in words and "patient" not in words
    assert "36 T operations in all" in " ".join(cost_remarks(whole_report()))
