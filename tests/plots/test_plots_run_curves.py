"""Loss curves: what is drawn is the data, over its cost, and the words beside it say the same."""

import pytest

from kdlib import plots

VALIDATION = {
    "student": ([20, 40], [5.1, 4.9]),
    "control_equal_steps": ([20, 60], [5.6, 5.2]),
}
LEVELS = {"teacher": 3.642, "ngram": 5.584}


def lines(figure):
    """Label -> (x, y) of every line."""
    return {line.get_label(): tuple(map(list, line.get_data())) for line in figure.axes[0].lines}


def test_curves_and_levels_are_drawn_where_they_are():
    figure = plots.loss_curves(VALIDATION, LEVELS, over="operations", head_start=15)
    drawn = lines(figure)
    assert drawn["student"] == ([20, 40], [5.1, 4.9])
    assert drawn["control, equal steps"] == ([20, 60], [5.6, 5.2])
    assert drawn["_teacher"][1] == [3.642, 3.642] and drawn["_ngram"][1] == [5.584, 5.584]
    assert len(drawn) == 4
    assert {text.get_text() for text in figure.axes[0].texts} == {"teacher 3.64", "n-gram 5.58"}
    assert figure.axes[0].get_xlabel() == "operations"


def test_the_words_have_the_numbers():
    alt = plots.loss_curves(VALIDATION, LEVELS, over="operations", head_start=1.5e12).alt
    assert "over operations" in alt
    assert "student: 5.100 at 20, 4.900 at 40." in alt
    assert "teacher: 3.642 throughout" in alt and "n-gram, counted: 5.584 throughout" in alt
    assert "The student starts at 1.5 T." in alt


def test_the_head_start_is_tinted_from_zero_to_the_students_start():
    (tint,) = plots.loss_curves(VALIDATION, LEVELS, over="seconds", head_start=15).axes[0].patches
    assert (tint.get_x(), tint.get_x() + tint.get_width()) == (0, 15)
    assert not plots.loss_curves(VALIDATION, LEVELS, over="seconds").axes[0].patches


def test_training_is_smoothed_and_does_not_move_the_range():
    training = {"student": ([10, 20, 30, 40], [9.0, 4.0, 3.0, 1.0])}
    figure = plots.loss_curves(VALIDATION, LEVELS, over="steps", training=training)
    steps, losses = lines(figure)["_student training"]
    assert steps == [10, 20, 30, 40]
    assert losses == plots.smooth([9.0, 4.0, 3.0, 1.0])
    without = plots.loss_curves(VALIDATION, LEVELS, over="steps")
    assert figure.axes[0].get_ylim() == without.axes[0].get_ylim()
    low, high = without.axes[0].get_ylim()
    assert low < 3.642 and high > 5.6


def test_costs_start_at_zero_and_steps_of_unlike_length_are_logarithmic():
    longer = VALIDATION | {"control_patient": ([20, 4000], [5.6, 5.0])}
    costs = plots.loss_curves(longer, LEVELS, over="operations").axes[0]
    assert costs.get_xscale() == "linear" and costs.get_xlim()[0] == 0
    steps = plots.loss_curves(longer, LEVELS, over="steps", training={}).axes[0]
    assert steps.get_xscale() == "log"
    alike = plots.loss_curves(VALIDATION, LEVELS, over="steps", training={}).axes[0]
    assert alike.get_xscale() == "linear"


def test_a_single_validation_and_no_level():
    assert plots.svg(plots.loss_curves({"student": ([5], [4.0])}, {}, over="x")).startswith("<svg")


def test_smooth():
    assert plots.smooth([3.0] * 5) == pytest.approx([3.0] * 5)
    assert plots.smooth([1.0, 0.0], memory=0.5) == pytest.approx([1.0, 1 / 3])
    assert plots.smooth([]) == []
