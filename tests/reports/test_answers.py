"""Shares of right answers, over trainings and problems."""

import numpy as np
import pytest

from kdlib.reports.answers import answer_entries
from kdlib.reports.verdict import points

RIGHT = {
    "teacher": np.array([[1.0, 1.0, 1.0, 0.0]]),
    "student": np.array([[1.0, 1.0, 0.0, 0.0], [1.0, 1.0, 1.0, 0.0]]),
    "off_policy_equal_tokens": np.array([[1.0, 0.0, 0.0, 0.0], [1.0, 1.0, 0.0, 0.0]]),
}


def test_shares_are_means_over_trainings_and_problems():
    found = answer_entries(RIGHT, [4, 5])
    assert found["problems"] == 4
    assert found["right"] == {"teacher": 0.75, "student": 0.625, "off_policy_equal_tokens": 0.375}
    assert found["trainings"] == [
        {"seed": 4, "student": 0.5, "off_policy_equal_tokens": 0.25},
        {"seed": 5, "student": 0.75, "off_policy_equal_tokens": 0.5},
    ]


def test_a_lead_is_positive_where_the_student_is_right_more_often():
    lead = answer_entries(RIGHT, [4, 5])["lead"]
    assert set(lead) == {"off_policy_equal_tokens"}
    found = lead["off_policy_equal_tokens"]
    assert (found["value"], found["trainings"], found["units"]) == (pytest.approx(0.25), 2, 4)
    assert found["low"] < 0.25 < found["high"]
    assert points(found).startswith("+25.0 points (95 % interval ")
