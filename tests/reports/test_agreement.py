"""Who agrees with the teacher more often: the difference of two rates, with its interval."""

import numpy as np
import pytest

from kdlib.reports.agreement import agreement_leads
from kdlib.reports.layout import Layout
from kdlib.reports.score_file import Scores
from kdlib.reports.scores import TokenScores

TOKENS, DOCUMENTS = 600, 6


def scores(**rates):
    """Models that agree on these shares of the tokens of each document."""
    document = np.arange(TOKENS, dtype=np.int32) * DOCUMENTS // TOKENS
    layout = Layout(document, document, document + 1, document)
    draw, nothing = np.random.default_rng(5), np.zeros(TOKENS)
    models = {
        name: TokenScores(nothing, nothing, nothing, draw.random(TOKENS) < rate, nothing, nothing, nothing)
        for name, rate in rates.items()
    }  # fmt: skip
    return Scores(layout, layout, 100, models, {})


def test_the_lead_is_the_difference_of_the_rates_and_positive_is_good():
    found = scores(teacher=1.0, student=0.8, control_equal_steps=0.5, control_patient=0.9)
    leads = agreement_leads(found)
    assert set(leads) == {"control_equal_steps", "control_patient"}
    rate = {name: np.mean(model.top1) for name, model in found.models.items()}
    for name, lead in leads.items():
        assert lead["value"] == pytest.approx(rate["student"] - rate[name])
        assert lead["units"] == DOCUMENTS and lead["trainings"] == 1
    assert leads["control_equal_steps"]["low"] > 0 > leads["control_patient"]["high"]


def test_like_rates_cannot_be_told_apart():
    lead = agreement_leads(scores(student=0.5, control_equal_compute=0.5))["control_equal_compute"]
    assert lead["low"] < 0 < lead["high"]


def test_without_controls_there_is_none():
    assert agreement_leads(scores(teacher=1.0, student=0.8)) == {}
