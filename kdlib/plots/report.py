"""The three figures of a run's report. The alt text of each gives its numbers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from matplotlib.axes import Axes

from kdlib.plots.style import INK, LOOKS, Picture, canvas, pen, styled


def smooth(values: list[float], memory: float = 0.6) -> list[float]:
    r"""Running mean with exponentially decaying weights that sum to 1, so constants are unchanged.

    .. math:: \bar x_t = \frac{\sum_{s \le t} m^{t-s} x_s}{\sum_{s \le t} m^{t-s}}

    Args:
        values: the series.
        memory: the decay m per value.

    Returns:
        As many values as there were.
    """
    total = weight = 0.0
    means = []
    for value in values:
        total, weight = memory * total + value, memory * weight + 1
        means.append(total / weight)
    return means


@styled
def loss_curves(metrics: list[dict[str, Any]]) -> Picture:
    """Cross-entropy over optimiser steps, one colour per phase.

    Bold lines with markers are validation, faint lines are smoothed training. Training shows only
    the cross-entropy part of the loss, since a loss with a distillation part cannot be compared
    with one without.

    Args:
        metrics: rows with the keys phase, step, cross_entropy (nats per token) and, in some of
            them, validation. Phases other than the four models are ignored.

    Returns:
        The picture, with the first and last values in its alt text.
    """
    figure, axes = canvas(3.7)
    figure.alt = "Loss curves, cross-entropy in nats per token over optimiser steps."
    last_steps, first_validations = [], []
    for phase, look in LOOKS.items():
        rows = [row for row in metrics if row["phase"] == phase]
        if not rows:
            continue
        steps = [row["step"] for row in rows]
        training = smooth([row["cross_entropy"] for row in rows])
        checked = [row for row in rows if row.get("validation") is not None]
        validation = [row["validation"] for row in checked]
        faint: dict[str, Any] = {"color": look.color, "alpha": 0.45, "linewidth": 1}
        axes.plot(steps, training, label=f"_{phase} training", **faint)
        axes.plot([row["step"] for row in checked], validation, label=look.label, **pen(look))
        last_steps.append(steps[-1])
        first_validations += validation[:1]
        split, values = ("validation", validation) if validation else ("training", training)
        figure.alt += f" {look.label}: {split} from {values[0]:.3f} to {values[-1]:.3f}"
        figure.alt += f" after {steps[-1]} steps."
    if first_validations:
        # The first steps fall from ln V and would flatten the part of interest.
        top = max(first_validations)
        lowest = min(
            min(cast(Iterable[float], line.get_ydata()), default=top) for line in axes.lines
        )
        margin = 0.06 * max(top - lowest, 0.1)
        axes.set_ylim(lowest - margin, top + margin)
    if last_steps and max(last_steps) > 5 * min(last_steps):
        axes.set_xscale("log")
    axes.set(xlabel="optimiser steps", ylabel="cross-entropy, nats per token")
    if last_steps:
        axes.legend(loc="upper right")
    return figure


@styled
def cross_entropy_comparison(
    cross_entropy: dict[str, float], gap_closed: float | None = None
) -> Picture:
    """One dot per model, the best on top, with the share of the gap that the student closed.

    Args:
        cross_entropy: each model's cross-entropy, in nats per token.
        gap_closed: the share of the gap from the equal-steps control to the teacher that the
            student closed; None draws no gap.

    Returns:
        The picture, with all values in its alt text.
    """
    names = sorted(cross_entropy, key=cross_entropy.__getitem__)
    figure, axes = canvas(1 + 0.6 * len(names))
    for row, name in enumerate(names):
        look, value = LOOKS[name], cross_entropy[name]
        dot: dict[str, Any] = {
            "color": look.color,
            "marker": look.marker,
            "markersize": 9,
            "zorder": 3,
        }
        axes.plot([value], [row], label=look.label, **dot)
        # The student's row holds the gap, so its number goes above the dot, not beside it.
        above = name == "student"
        axes.annotate(
            f"{value:.3f}", (value, row), (0, 8) if above else (-9, 0), textcoords="offset points",
            ha="center" if above else "right", va="bottom" if above else "center",
        )  # fmt: skip
    ends = {"teacher", "student", "control_equal_steps"}
    closed = gap_closed if ends <= cross_entropy.keys() else None
    if closed is not None:
        _draw_gap(axes, cross_entropy, names, closed)
    axes.set_yticks(range(len(names)), [LOOKS[name].label for name in names])
    axes.set_ylim(len(names) - 0.5, -0.75)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    lowest, highest = min(cross_entropy.values()), max(cross_entropy.values())
    span = max(highest - lowest, 0.01)
    axes.set_xlim(
        lowest - 0.3 * span, highest + 0.1 * span
    )  # space on the left for the number of the best model
    axes.set_xlabel("cross-entropy, nats per token (lower is better)")
    values = ", ".join(f"{LOOKS[name].label} {cross_entropy[name]:.3f}" for name in names)
    figure.alt = f"Cross-entropy on the test documents in nats per token, best first: {values}."
    if closed is not None:
        figure.alt += (
            f" The student closes {100 * closed:.0f} % of the gap from the equal-steps control to"
            " the teacher."
        )
    return figure


def _draw_gap(
    axes: Axes, cross_entropy: dict[str, float], names: list[str], gap_closed: float
) -> None:
    """The gap from the control to the teacher, in the student's row; the closed part is bold."""
    row = names.index("student")
    start, reached, goal = (
        cross_entropy[name] for name in ("control_equal_steps", "student", "teacher")
    )
    for name in ("control_equal_steps", "teacher"):
        ends = [names.index(name), row]
        axes.plot(
            [cross_entropy[name]] * 2,
            ends,
            color=LOOKS[name].color,
            linestyle=(0, (1, 2)),
            linewidth=1.2,
            label=f"_{name}",
        )
    axes.plot(
        [start, reached], [row, row], color=LOOKS["student"].color, linewidth=4, label="_gap closed"
    )
    axes.plot(
        [reached, goal],
        [row, row],
        color=INK,
        linewidth=1.2,
        linestyle=(0, (2, 2)),
        label="_gap left",
    )
    axes.annotate(
        f"{100 * gap_closed:.0f} % closed", ((start + reached) / 2, row), (0, -5),
        textcoords="offset points", ha="center", va="top", fontsize=10,
    )  # fmt: skip


@styled
def reliability(calibration: dict[str, dict[str, list[Any]]], ece: dict[str, float]) -> Picture:
    """Reliability diagram: how often the likeliest token was right, over the model's confidence.

    On the diagonal a model is calibrated; below it, it is overconfident. The area of the halo
    around a marker shows the share of the predictions in that bin.

    Args:
        calibration: for each model the lists confidence, accuracy and share, one item per bin,
            None for an empty bin.
        ece: each model's expected calibration error.

    Returns:
        The picture, with the calibration errors in its alt text.

    Source: Guo et al. 2017.
    """
    figure, axes = canvas(3.7)
    axes.plot([0, 1], [0, 1], color=INK, linewidth=1, alpha=0.7, label="_perfect")
    for name, look in LOOKS.items():
        if name not in calibration:
            continue
        bins = zip(
            *(calibration[name][key] for key in ("confidence", "accuracy", "share")), strict=True
        )
        filled = [each for each in bins if None not in each]
        confidence, accuracy, share = zip(*filled, strict=True) if filled else ((), (), ())
        axes.scatter(
            confidence, accuracy, [900 * s for s in share], look.color, linewidths=0, alpha=0.2
        )
        axes.plot(confidence, accuracy, label=f"{look.label} (ECE {ece[name]:.3f})", **pen(look))
    axes.set(
        xlim=(0, 1),
        ylim=(0, 1),
        xlabel="confidence in the likeliest token",
        ylabel="how often it was right",
    )
    axes.legend(loc="upper left")
    errors = ", ".join(
        f"{LOOKS[name].label} {ece[name]:.3f}" for name in LOOKS if name in calibration
    )
    figure.alt = (
        f"Reliability diagram: accuracy over confidence. Expected calibration error: {errors}."
    )
    return figure
