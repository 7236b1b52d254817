"""Is a model right as often as it expects to be?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kdlib.plots.style import INK, LOOKS, PAIR, Picture, panel, pen, styled


@styled
def reliability(measured: Mapping[str, Mapping[str, Any]]) -> Picture:
    """Reliability diagram: how often the likeliest token was right, over the model's confidence.

    On the diagonal a model is calibrated; below it, it is overconfident. A vertical line is the
    95 % interval of a rate.

    Args:
        measured: for each model "ece", its expected calibration error, "ece_floor", what chance
            alone would give, and "calibration": the lists confidence, accuracy, low and high, one
            item per bin.

    Returns:
        The picture, with the calibration errors in its alt text.

    Source: Guo et al. 2017.
    """
    shown = {name: measured[name] for name in LOOKS if name in measured}
    figure, axes = panel(3.5 + 0.2 * len(shown), PAIR)
    axes.plot([0, 1], [0, 1], color=INK, linewidth=1, alpha=0.7, label="_perfect")
    for name, result in shown.items():
        look, bins = LOOKS[name], result["calibration"]
        error = f"{result['ece']:.3f} (chance alone: {result['ece_floor']:.3f})"
        axes.vlines(bins["confidence"], bins["low"], bins["high"], look.color, alpha=0.55)
        line = pen(look) | {"linewidth": 1.2, "markersize": 4.5}
        axes.plot(bins["confidence"], bins["accuracy"], label=f"{look.label}: {error}", **line)
    axes.set(
        xlim=(0, 1),
        ylim=(0, 1),
        xlabel="confidence in the likeliest token",
        ylabel="how often it was right",
    )
    figure.legend(loc="outside lower left", title="calibration error", alignment="left")
    errors = "; ".join(
        f"{LOOKS[name].label} {result['ece']:.3f}, of which chance alone would give"
        f" {result['ece_floor']:.3f}"
        for name, result in shown.items()
    )
    figure.alt = (
        f"Reliability diagram: accuracy over confidence. Expected calibration error: {errors}."
    )
    return figure
