"""The figure of chapter 12: every training of every arm, with the interval of each arm's mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kdlib.plots.labels import vertical
from kdlib.plots.style import INK, LOOKS, Picture, canvas, styled

BELOW = 0.3  # of a row: how far below its whisker the trainings of an arm lie
DARK, LIGHT = 0.9, 0.5


@styled
def trainings(
    arms: Mapping[str, tuple[Sequence[float], tuple[float, float, float]]],
    *,
    xlabel: str,
    alt: str,
    mark: Mapping[str, float] | None = None,
) -> Picture:
    """A row for each arm, the first on top: a whisker for its mean, below it a stroke a training.

    Args:
        arms: name to one number for each training, and (mean, low, high) of their interval.
        xlabel: label of the x axis.
        alt: the alt text.
        mark: vertical lines, label to x.

    Returns:
        The picture.

    Raises:
        ValueError: for an empty alt text.
    """
    if not alt.strip():
        raise ValueError("alt is empty; say in words what the picture shows")
    picture, axes = canvas(1.1 + 0.5 * len(arms), alt)
    look = LOOKS["student"]
    for row, (numbers, (mean, low, high)) in enumerate(arms.values()):
        axes.plot([low, high], [row, row], color=look.color, linewidth=2.5, alpha=LIGHT)
        axes.plot([mean], [row], color=look.color, marker=look.marker, markersize=8, alpha=DARK)
        below = [row + BELOW] * len(numbers)
        axes.plot(numbers, below, color=INK, marker="|", markersize=7, linestyle="none")
    for label, place in (mark or {}).items():
        vertical(axes, label, place)
    axes.set_yticks(range(len(arms)), list(arms))
    axes.set_ylim(len(arms) - 0.4, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel(xlabel)
    return picture
