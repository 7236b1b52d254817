"""Names in a figure: at the ends of lines, in a legend, on a vertical line, and notes with arrows."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import to_rgba
from matplotlib.ticker import LogFormatter

from kdlib.plots.style import INK, Look, Picture

LINE = 13 / 72  # inches between two labels, one above the other
LONGEST, MOST = 26, 6  # letters of a label beside the axes, and labels
MARGINS = 1.0  # inches of a picture's height that are not its axes'
PLAIN = (1e-3, 1e5)  # values of a logarithmic axis that are written out
Point = tuple[float, float]


def name_series(picture: Picture, axes: Axes, looks: Mapping[str, Look]) -> None:
    """The names of drawn lines: each beside its line's end where there is room, else in a legend.

    Args:
        picture: as drawn; its axes hold one line for each look, labelled.
        axes: of the picture.
        looks: by the labels of the lines.
    """
    ends = {label: end for label in looks if (end := _end(axes, label)) is not None}
    last = axes.dataLim.x1
    is_short = len(looks) <= MOST and max(map(len, looks)) <= LONGEST
    if is_short and len(ends) == len(looks) and all(x == last for x, _ in ends.values()):
        _beside(axes, picture.get_figheight() - MARGINS, ends, looks)
    else:
        legend(picture, axes)


def legend(picture: Picture, axes: Axes) -> None:
    """A legend above the axes, where it hides no data, in as many columns as fit."""
    _, labels = axes.get_legend_handles_labels()
    columns = max(1, min(len(labels), 66 // (max(map(len, labels)) + 6)))
    picture.legend(loc="outside upper center", ncols=columns)


def vertical(axes: Axes, label: str, place: float) -> None:
    """A dashed vertical line with its label above the axes."""
    axes.axvline(place, color=INK, linewidth=1.2, linestyle=(0, (4, 3)))
    axes.annotate(
        label, (place, 1), (0, 2), xycoords=("data", "axes fraction"),
        textcoords="offset points", ha="center", va="bottom", fontsize=10,
    )  # fmt: skip


def note(axes: Axes, text: str, point: tuple[float, ...]) -> None:
    """A remark with an arrow to what it is about.

    Args:
        axes: to write in.
        text: the remark.
        point: (x, y); the text stands from there towards the middle of the axes. (x, y, right, up)
            says how far it stands from there, in points.
    """
    x, y, *moved = point
    across, up = _fraction(axes, (x, y))
    right, rise = moved or (24 if across < 0.5 else -24, 26 if up < 0.5 else -26)
    axes.annotate(
        text, (x, y), (right, rise), textcoords="offset points", fontsize=10,
        ha="left" if right > 0 else "right", va="bottom" if rise > 0 else "top",
        arrowprops={"arrowstyle": "->", "color": INK, "linewidth": 1},
    )  # fmt: skip


class PlainTicks(LogFormatter):
    """Ticks of a logarithmic axis as plain numbers, where LogFormatter would label them at all."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        return f"{x:g}" if super().__call__(x, pos) else ""


def plain_ticks(axis: Axis) -> None:
    """Powers of ten are for the large and the small: elsewhere a tick says 30, not 3 x 10^1."""
    low, high = axis.get_view_interval()
    if PLAIN[0] <= low and high <= PLAIN[1]:
        axis.set_major_formatter(PlainTicks())
        axis.set_minor_formatter(PlainTicks(labelOnlyBase=False))


def _end(axes: Axes, label: str) -> Point | None:
    """Where a line ends in the picture: its last point, if that is finite."""
    line = next(line for line in axes.lines if line.get_label() == label)
    x, y = np.asarray(line.get_xydata(), dtype=float)[-1].tolist()
    inside = all(0 <= part <= 1 for part in _fraction(axes, (x, y)))
    return (x, y) if inside else None


def _beside(
    axes: Axes, height: float, ends: Mapping[str, Point], looks: Mapping[str, Look]
) -> None:
    """Labels to the right of the axes, as high as the lines end and a line apart."""
    order = sorted(ends, key=lambda label: ends[label][1])
    wanted = [_fraction(axes, ends[label])[1] for label in order]
    for label, place in zip(order, spread(wanted, LINE / height)):
        axes.annotate(
            label, ends[label], (1.03, place), textcoords="axes fraction", fontsize=10,
            color=looks[label].color, ha="left", va="center", annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": to_rgba(looks[label].color, 0.5),
                        "linewidth": 0.8, "shrinkA": 1, "shrinkB": 2},
        )  # fmt: skip


def spread(places: list[float], gap: float) -> list[float]:
    """Ascending places, moved as little as it takes to stand at least ``gap`` apart.

    Neighbours that are too close become a block around their mean.
    """
    blocks: list[tuple[float, int]] = []  # middle of each block, and how many places it holds
    for place in places:
        middle, size = place, 1
        while blocks and middle - blocks[-1][0] < gap * (size + blocks[-1][1]) / 2:
            other, count = blocks.pop()
            middle, size = (middle * size + other * count) / (size + count), size + count
        blocks.append((middle, size))
    return [
        middle + gap * (number - (size - 1) / 2)
        for middle, size in blocks
        for number in range(size)
    ]


def _fraction(axes: Axes, point: Point) -> Point:
    """A point of the data in parts of the axes' width and height, whatever the layout will be."""
    axes.get_xlim(), axes.get_ylim()  # which settles limits that follow from the data
    x, y = (axes.transScale + axes.transLimits).transform(point)
    return float(x), float(y)
