"""One small picture of every kind, of the report's and of the chapters'."""

import pytest

from kdlib import plots

WORDS = ["mat", "sofa", "moon"]
AXES = {"xlabel": "x", "ylabel": "y"}
LOSSES = {"teacher": 3.6, "student": 3.8, "control_equal_steps": 4.0}
METRICS = [
    {"phase": phase, "step": step, "cross_entropy": 5 - step / 10, "validation": 5.1 - step / 10}
    for phase in ("student", "control_equal_time")
    for step in (1, 2)
]
BINS = {"student": {"confidence": [0.1, 0.4], "accuracy": [0.2, 0.3], "share": [0.5, 0.5]}}

DRAWN = {
    "loss_curves": lambda: plots.loss_curves(METRICS),
    "cross_entropy_comparison": lambda: plots.cross_entropy_comparison(LOSSES, 0.5),
    "reliability": lambda: plots.reliability(BINS, {"student": 0.1}),
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
