"""How the learners of a run got better, over whatever it cost them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import EngFormatter

from kdlib.plots.style import INK, LOOKS, Picture, panel, pen, styled

Curve = tuple[Sequence[float], Sequence[float]]
MARKERS = 10  # on a line, about
SQUEEZED = 5  # a curve so many times shorter than another is too short to be read beside it
short = EngFormatter(sep=" ")


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
def loss_curves(
    validation: Mapping[str, Curve],
    levels: Mapping[str, float],
    *,
    over: str,
    head_start: float = 0.0,
    training: Mapping[str, Curve] | None = None,
) -> Picture:
    """Validation loss over steps or over a cost, one line per learner.

    The range of losses follows from ``validation`` and ``levels`` alone, so pictures of the same
    curves over different costs can be compared side by side.

    Args:
        validation: for each learner what it had cost and its loss then, nats per token.
        levels: losses of models that do not learn here, as horizontal lines.
        over: what the x axis counts.
        head_start: what had been spent before the student's training began; tinted.
        training: losses on the training text, faint, and drawn only where they fit. With them the
            axis counts steps, and is logarithmic where it would squeeze a curve; a cost is linear.

    Returns:
        The picture, with the first and last values in its alt text.
    """
    figure, axes = panel(3.3)
    figure.alt = f"Validation loss in nats per token over {over}."
    for name, look in LOOKS.items():
        if name in validation:
            xs, losses = validation[name]
            every = max(1, len(xs) // MARKERS)
            axes.plot(xs, losses, label=look.label, **pen(look), markevery=every)
            figure.alt += f" {look.label}: {losses[0]:.3f} at {short(xs[0])}, {losses[-1]:.3f}"
            figure.alt += f" at {short(xs[-1])}."
        if name in (training or {}):
            faint: dict[str, Any] = {"color": look.color, "alpha": 0.4, "linewidth": 1, "zorder": 1}
            steps, losses = (training or {})[name]
            axes.plot(steps, smooth(list(losses)), label=f"_{name} training", **faint)
    _levels(axes, figure, levels)
    if head_start:
        axes.axvspan(0, head_start, color=LOOKS["student"].color, alpha=0.1, linewidth=0)
        figure.alt += f" The student starts at {short(head_start)}."
    _ranges(axes, validation, levels, from_zero=training is None)
    axes.set(xlabel=over, ylabel="nats per token")
    return figure


def _levels(axes: Axes, figure: Picture, levels: Mapping[str, float]) -> None:
    """A labelled line across for each model that does not learn here."""
    for name, loss in levels.items():
        look = LOOKS[name]
        line: dict[str, Any] = {"color": look.color, "linestyle": look.line, "linewidth": 1.4}
        axes.axhline(loss, label=f"_{name}", zorder=1, **line)
        label = f"{look.label.partition(',')[0]} {loss:.2f}"
        place: dict[str, Any] = {
            "xycoords": ("axes fraction", "data"),
            "textcoords": "offset points",
        }
        axes.annotate(label, (1, loss), (0, 3), **place, ha="right", color=INK, fontsize=10)
        figure.alt += f" {look.label}: {loss:.3f} throughout, on the test."


def _ranges(
    axes: Axes, validation: Mapping[str, Curve], levels: Mapping[str, float], from_zero: bool
) -> None:
    """The axes' ranges."""
    # Training begins at ln V, which would flatten the part of interest.
    losses = [loss for _, curve in validation.values() for loss in curve] + list(levels.values())
    lowest, highest = min(losses), max(losses)
    margin = 0.07 * max(highest - lowest, 0.1)
    axes.set_ylim(lowest - margin, highest + margin)
    ends = [xs[-1] for xs, _ in validation.values()]
    if from_zero:
        axes.set_xlim(0, 1.03 * max(ends))
    elif max(ends) > SQUEEZED * min(ends):
        axes.set_xscale("log")
        axes.xaxis.set_minor_formatter("")
    axes.xaxis.set_major_formatter(short)
