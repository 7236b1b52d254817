"""One small picture of every kind, of the report's and of the chapters'."""

import pytest

from kdlib import plots

WORDS = ["mat", "sofa", "moon"]
AXES = {"xlabel": "x", "ylabel": "y"}
LOSSES = {"teacher": 3.6, "student": 3.8, "control_equal_steps": 4.0}
CURVES = {"student": ([1, 2], [5, 4]), "control_equal_compute": ([1, 2], [6, 5])}
MEASURED = {
    "ece": 0.1,
    "ece_floor": 0.02,
    "calibration": {
        "confidence": [0.1, 0.4],
        "accuracy": [0.2, 0.3],
        "low": [0.1, 0.2],
        "high": [0.3, 0.4],
    },
}
LOST = {"student": {"forward_kl": [1, 2], "excess": [3, 4]}}
RUNS = [plots.Point("one", "student", 1e6, 4.1), plots.Point("teacher", "teacher", 7e6, 3.5)]

DRAWN = {
    "loss_curves": lambda: plots.loss_curves(CURVES, {"teacher": 3.6}, over="steps"),
    "cross_entropy_comparison": lambda: plots.cross_entropy_comparison(LOSSES, 0.5),
    "reliability": lambda: plots.reliability({"student": MEASURED}),
    "lost_by_bin": lambda: plots.lost_by_bin(LOST, ["a", "b"], over="x"),
    "lost_by_document": lambda: plots.lost_by_document(LOST, ["a", "b"]),
    "cost_against_loss": lambda: plots.cost_against_loss(RUNS, cost="size", loss="nats"),
    "distributions": lambda: plots.distributions({"teacher": [0.7, 0.2, 0.1]}, WORDS, alt="Bars."),
    "curves": lambda: plots.curves([1, 2], {"student": [3, 4]}, **AXES, alt="Curves."),
    "points": lambda: plots.points({"a": ([1, 2], [3, 4])}, **AXES, alt="Points."),
    "intervals": lambda: plots.intervals({"a": (2, 1, 3)}, xlabel="x", alt="Intervals."),
    "heat_map": lambda: plots.heat_map([[1, 2]], rows=["r"], columns="ab", **AXES, alt="A map."),
}


@pytest.fixture(params=DRAWN.values(), ids=DRAWN.keys())
def draw(request):
    """A function that draws the picture anew at each call."""
    return request.param
