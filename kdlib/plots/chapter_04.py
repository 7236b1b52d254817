"""The figures of chapter 4: the pieces of a KL, the triangle of three outputs, and a plane."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.tri import Triangulation

from kdlib.plots.style import INK, LOOKS, WIDTH, Picture, canvas, looks_of, pen, styled

LEVELS = (0.01, 0.03, 0.1, 0.3, 1.0)  # nats, of the contours
STEPS = 120  # along an edge of the triangle
CORNERS = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, 3**0.5 / 2]])  # of outputs 1, 2 and 3
GAIN, LOSS = LOOKS["control_equal_steps"].color, LOOKS["student"].color

Distribution = Sequence[float]


@styled
def signed_pieces(p: Distribution, students: Mapping[str, Distribution], *, alt: str) -> Picture:
    """The bars of P and Q, and below them the pieces p log(p / q), which sum to KL(P‖Q).

    Args:
        p: the teacher's probabilities.
        students: name to probabilities, all above 0; one column of panels each.
        alt: the alt text.

    Returns:
        The picture.
    """
    picture = Picture(figsize=(WIDTH, 3.8))
    picture.alt = alt
    panels = picture.subplots(2, len(students), sharex=True, sharey="row", squeeze=False)
    places, teacher = np.arange(1, len(p) + 1), np.array(p)
    for (upper, lower), (name, q) in zip(panels.T, students.items()):
        upper.bar(places - 0.2, teacher, 0.36, color=INK, alpha=0.5, label="P")
        upper.bar(places + 0.2, q, 0.36, color=LOSS, alpha=0.6, hatch="//", label="Q")
        pieces = teacher * np.log(teacher / np.array(q))
        lower.bar(places, pieces, 0.6, color=[LOSS if x < 0 else GAIN for x in pieces], alpha=0.7)
        lower.axhline(0, color=INK, linewidth=1)
        for place, piece in zip(places, pieces):
            side = "bottom" if piece >= 0 else "top"
            lower.annotate(
                f"{round(piece, 3) + 0:+.3f}", (place, piece), ha="center", va=side, fontsize=9
            )
        upper.set_title(f"{name}: KL = {pieces.sum():.4f}", fontsize=11)
        lower.set(xticks=places, xlabel="output")
        lower.margins(y=0.25)
    panels[0, 0].set_ylabel("probability")
    panels[1, 0].set_ylabel("p log(p / q), nats")
    panels[0, 0].legend()
    return picture


@styled
def triangles(p: Distribution, students: Mapping[str, Distribution], *, alt: str) -> Picture:
    """All distributions over three outputs as a triangle, with contours of both directions of KL.

    Left KL(P‖Q), right KL(Q‖P), over Q. A corner is certainty of one output, an edge the absence
    of one.

    Args:
        p: the teacher's three probabilities, all above 0.
        students: name to probabilities, drawn as dots.
        alt: the alt text.

    Returns:
        The picture.
    """
    picture = Picture(figsize=(WIDTH, 3.3))
    picture.alt = alt
    q = _inside()
    teacher = np.array(p)
    forward = (teacher * np.log(teacher / q)).sum(axis=1).clip(1e-9)
    reverse = (q * np.log(q / teacher)).sum(axis=1).clip(1e-9)  # above 0, for the logarithm
    for axes, title, height in zip(
        picture.subplots(1, 2), ("KL(P‖Q)", "KL(Q‖P)"), (forward, reverse)
    ):
        axes.tricontour(
            Triangulation(*(q @ CORNERS).T), height, LEVELS, cmap="cividis", norm=LogNorm(),
            linewidths=1.3,
        )  # fmt: skip
        _outline(axes, title)
        axes.plot(*(teacher @ CORNERS), marker="*", markersize=11, color=GAIN, linestyle="none")
        _dots(axes, {"P": p, **students})
    levels = ", ".join(f"{level:g}" for level in LEVELS)
    picture.supxlabel(f"lines of equal divergence: {levels} nats", fontsize=10)
    return picture


@styled
def plane(
    places: Mapping[str, tuple[float, float]],
    *,
    xlabel: str,
    ylabel: str,
    alt: str,
    below: Collection[str] = (),
) -> Picture:
    """Named points, each with its name beside it.

    Args:
        places: name to (x, y).
        xlabel, ylabel: labels of the axes.
        alt: the alt text.
        below: names that are written below their points, where others stand close above.

    Returns:
        The picture.
    """
    picture, axes = canvas(3.6, alt)
    for name, look in looks_of(places).items():
        x, y = places[name]
        axes.plot(x, y, **pen(look) | {"linestyle": "none", "markersize": 8})
        lift = -13 if name in below else 4
        axes.annotate(
            name, (x, y), (7, lift), textcoords="offset points", fontsize=10, color=look.color
        )
    axes.margins(0.15)
    axes.set(xlabel=xlabel, ylabel=ylabel)
    return picture


def _inside() -> np.ndarray:
    """Distributions over three outputs on a fine grid, none with an exact zero."""
    grid = [(i, j, STEPS - i - j) for i in range(STEPS + 1) for j in range(STEPS + 1 - i)]
    whole: np.ndarray = np.array(grid, dtype=float).clip(1e-3)
    shares: np.ndarray = whole / whole.sum(axis=1, keepdims=True)
    return shares


def _outline(axes: Axes, title: str) -> None:
    """The edges of the triangle, with the number of the output at each corner."""
    axes.plot(*CORNERS[[0, 1, 2, 0]].T, color=INK, linewidth=1)
    centre = CORNERS.mean(axis=0)
    for number, corner in enumerate(CORNERS, start=1):
        x, y = corner + 0.1 * (corner - centre)
        axes.text(x, y, f"{number}", ha="center", va="center", fontsize=10)
    axes.set_title(title, fontsize=11, pad=12)
    axes.set_aspect("equal")
    axes.set_axis_off()


def _dots(axes: Axes, points: Mapping[str, Distribution]) -> None:
    """A dot with its name for each distribution."""
    for name, point in points.items():
        place = np.array(point) @ CORNERS
        axes.plot(*place, marker="o", markersize=4, color=INK, linestyle="none")
        axes.annotate(name, place, (4, 3), textcoords="offset points", fontsize=9)
