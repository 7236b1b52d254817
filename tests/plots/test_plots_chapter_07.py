"""The calibration of chapter 7: the measured bins are drawn, and the words are the author's."""

import numpy as np
import pytest

from kdlib.plots.chapter_07 import calibrations

RESULTS = {
    "teacher": {
        "ece": 0.0214,
        "calibration": {
            "confidence": [0.1, None, 0.9],
            "accuracy": [0.12, None, 0.85],
            "share": [0.7, 0.0, 0.3],
        },
    },
    "control_equal_steps": {
        "ece": 0.05,
        "calibration": {
            "confidence": [0.2, 0.5, None],
            "accuracy": [0.1, 0.4, None],
            "share": [0.6, 0.4, 0.0],
        },
    },
}


@pytest.fixture
def picture():
    return calibrations(RESULTS, alt="Two lines near the diagonal.")


def test_each_models_filled_bins_are_a_line(picture):
    drawn = {line.get_label(): np.asarray(line.get_data()) for line in picture.axes[0].lines}
    teacher = next(data for label, data in drawn.items() if label.startswith("teacher"))
    control = next(data for label, data in drawn.items() if label.startswith("control, equal"))
    assert teacher.tolist() == [[0.1, 0.9], [0.12, 0.85]]
    assert control.tolist() == [[0.2, 0.5], [0.1, 0.4]]


def test_the_legend_has_the_error_of_each(picture):
    labels = [text.get_text() for text in picture.axes[0].get_legend().get_texts()]
    assert len(labels) == 2
    assert "0.021" in labels[0] and "0.050" in labels[1]


def test_the_words_are_the_authors(picture):
    assert picture.alt == "Two lines near the diagonal."
