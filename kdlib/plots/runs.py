"""The students of several runs, and their teachers: what they cost, and how well they predict."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter

from kdlib.plots.style import LOOKS, PAIR, Picture, panel, plain, styled


class Point(NamedTuple):
    """A model in a comparison of runs.

    Attributes:
        label: written beside it.
        role: "student" or "teacher".
        cost: its place on the x axis, above 0.
        loss: its place on the y axis.
    """

    label: str
    role: str
    cost: float
    loss: float


@styled
def cost_against_loss(points: Sequence[Point], *, cost: str, loss: str) -> Picture:
    """One labelled point per model over a logarithmic cost; lower is better.

    Args:
        points: the models.
        cost: label of the x axis.
        loss: label of the y axis.

    Returns:
        The picture, with all values in its alt text.
    """
    figure, axes = panel(3.8, PAIR)
    for role in ("teacher", "student"):
        own, look = [point for point in points if point.role == role], LOOKS[role]
        xs, ys = [point.cost for point in own], [point.loss for point in own]
        axes.plot(xs, ys, label=role, color=look.color, marker=look.marker, markersize=8, ls="none")
    # Neighbours in height take turns, so that their labels stand on different sides.
    for place, point in enumerate(sorted(points, key=lambda point: point.loss)):
        right = place % 2 == 0
        axes.annotate(
            plain(point.label), (point.cost, point.loss), (9 if right else -9, 0), va="center",
            textcoords="offset points", ha="left" if right else "right", fontsize=10,
        )  # fmt: skip
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(EngFormatter(sep=" "))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.margins(x=0.35, y=0.12)
    axes.set(xlabel=cost, ylabel=loss)
    values = "; ".join(
        f"{point.label}: {EngFormatter(sep=' ')(point.cost)}, {point.loss:.3f}" for point in points
    )
    figure.alt = f"{loss} over {cost}. {values}."
    return figure
