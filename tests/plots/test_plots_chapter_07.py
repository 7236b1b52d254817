"""The calibration of chapter 7: the measured bins are drawn, and the words are the author's."""

import numpy as np
import pytest

from kdlib.plots.chapter_07 import calibrations
from kdlib.reports.calibration import calibration

RIGHT = {"teacher": (0.9, 0.8), "control_equal_steps": (0.1, 0.25)}  # confidence, how often right


@pytest.fixture
def picture():
    results = {
        name: calibration(np.full(200, sure), np.arange(200) < 200 * rate)
        for name, (sure, rate) in RIGHT.items()
    }
    return calibrations(results, alt="Two points near the diagonal.")


def test_each_models_measured_bins_are_drawn(picture):
    drawn = {line.get_label(): np.asarray(line.get_data()) for line in picture.axes[0].lines}
    teacher = next(data for label, data in drawn.items() if label.startswith("teacher"))
    control = next(data for label, data in drawn.items() if label.startswith("control, equal"))
    assert teacher == pytest.approx(np.array([[0.9], [0.8]]))
    assert control == pytest.approx(np.array([[0.1], [0.25]]))


def test_the_legend_has_the_error_of_each(picture):
    labels = [text.get_text() for text in picture.legends[0].get_texts()]
    assert len(labels) == 2
    assert "0.100" in labels[0] and "0.150" in labels[1]


def test_the_words_are_the_authors(picture):
    assert picture.alt == "Two points near the diagonal."
