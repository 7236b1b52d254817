"""The figures of chapter 6: maps side by side, and segments in the triangle of three words."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm, Normalize
from matplotlib.tri import Triangulation

from kdlib.plots.book import COLOURS
from kdlib.plots.chapter_04 import CORNERS
from kdlib.plots.labels import legend
from kdlib.plots.style import INK, WIDTH, Picture, canvas, looks_of, pen, styled

Distribution = Sequence[float]
Matrix = Iterable[Iterable[float]]
LEVELS = (0.003, 0.01, 0.03, 0.1, 0.3)  # nats, of the contours around the truth
STEPS = 150  # along an edge of the triangle


@styled
def maps(
    panels: Mapping[str, Matrix | tuple[Matrix, Matrix, Matrix]],
    *,
    rows: Sequence[object],
    columns: Sequence[object],
    xlabel: str,
    ylabel: str,
    bar: str,
    alt: str,
    limits: tuple[float, float] = (0.0, 1.0),
    bright: bool = True,
) -> Picture:
    """Coloured tables side by side, each with its title, and one colour bar for all of them.

    Args:
        panels: title to the values, one sequence for each row; a tuple (values, low, high) also
            writes the range from low to high below each value.
        rows, columns: names of the rows and columns of every panel.
        xlabel, ylabel: labels of the axes.
        bar: what the colours, and the numbers in the cells, say.
        alt: the alt text.
        limits: the ends of the colour bar.
        bright: whether the upper end is the bright one.

    Returns:
        The picture.

    Raises:
        ValueError: for a panel that does not fit ``rows`` and ``columns``.
    """
    picture = Picture(figsize=(WIDTH, 1.5 + 0.42 * len(rows)))
    picture.alt = alt
    colours = ScalarMappable(Normalize(*limits), COLOURS if bright else f"{COLOURS}_r")
    drawn = picture.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for axes, (title, values) in zip(drawn, panels.items()):
        parts = [
            _fitting(part, (len(rows), len(columns)), title)
            for part in (values if isinstance(values, tuple) else (values,))
        ]
        axes.imshow(parts[0], cmap=colours.get_cmap(), norm=colours.norm, aspect="auto")
        shades = colours.to_rgba(parts[0])
        for row, column in np.ndindex(parts[0].shape):
            numbers = [float(part[row, column]) for part in parts]
            _write(axes, (row, column), numbers, tuple(shades[row, column]))
        axes.set_title(title, fontsize=10)
        axes.set_xticks(range(len(columns)), [str(name) for name in columns])
        axes.set_yticks(range(len(rows)), [str(name) for name in rows])
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        axes.grid(visible=False)
    drawn[0].set_ylabel(ylabel)
    picture.supxlabel(xlabel, fontsize=11)
    picture.colorbar(colours, ax=list(drawn), label=bar, shrink=0.9)
    return picture


@styled
def segments(
    truth: Distribution,
    labels: Distribution,
    teachers: Mapping[str, Distribution],
    *,
    words: Sequence[str],
    alt: str,
) -> Picture:
    """All distributions over three words, and where the students of several teachers can be.

    From the labels a segment leads to each teacher. Around the truth are lines of equal KL(truth‖Q).

    Args:
        truth: three probabilities, all above 0.
        labels: the distribution of the labels.
        teachers: name to distribution.
        words: of the corners.
        alt: the alt text.

    Returns:
        The picture.
    """
    picture, axes = canvas(4.2, alt)
    q, p = _inside(), np.array(truth)
    axes.tricontour(
        Triangulation(*(q @ CORNERS).T), (p * np.log(p / q)).sum(axis=1).clip(1e-9), LEVELS,
        cmap=COLOURS, norm=LogNorm(), linewidths=0.9, alpha=0.7,
    )  # fmt: skip
    axes.plot(*CORNERS[[0, 1, 2, 0]].T, color=INK, linewidth=1)
    for word, corner in zip(words, CORNERS, strict=True):
        axes.annotate(
            word, corner, 14 * (corner - CORNERS.mean(axis=0)), textcoords="offset points",
            ha="center", va="center", fontsize=10,
        )  # fmt: skip
    start = np.array(labels) @ CORNERS
    places = {"truth": truth, "labels": labels, **teachers}
    for name, look in looks_of(places).items():
        end = np.array(places[name]) @ CORNERS
        line = [start, end] if name in teachers else [end]
        axes.plot(*np.array(line).T, **pen(look) | {"markersize": 7, "markevery": [-1]}, label=name)
    levels = ", ".join(f"{level:g}" for level in LEVELS)
    picture.supxlabel(f"lines of equal KL(truth‖Q): {levels} nats", fontsize=10)
    axes.set_aspect("equal")
    axes.set_axis_off()
    legend(picture, axes)
    return picture


def _fitting(values: Matrix, shape: tuple[int, int], title: str) -> np.ndarray:
    """The values as an array of the shape; ValueError if they are not of that shape."""
    numbers = np.array([[float(value) for value in row] for row in values])
    if numbers.shape != shape:
        raise ValueError(f"{title!r} is of shape {numbers.shape}; rows and columns name {shape}")
    return numbers


def _write(
    axes: Axes, place: tuple[int, int], parts: Sequence[float], shade: tuple[float, ...]
) -> None:
    """The number of a cell and, where there is one, its range in smaller letters below it."""
    value, *ends = parts
    if math.isnan(value):
        return
    row, column = place
    red, green, blue = shade[:3]
    ink = "black" if 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.46 else "white"
    style: dict[str, Any] = {"color": ink, "ha": "center", "va": "center"}
    axes.text(column, row - (0.17 if ends else 0), f"{value:.2f}", fontsize=8.5, **style)
    if ends:
        low, high = (f"{end:.2f}".removeprefix("0") for end in ends)
        axes.text(column, row + 0.24, f"{low}\N{EN DASH}{high}", fontsize=6, **style)


def _inside() -> np.ndarray:
    """Distributions over three words on a fine grid, none with an exact zero."""
    grid = [(i, j, STEPS - i - j) for i in range(STEPS + 1) for j in range(STEPS + 1 - i)]
    whole: np.ndarray = np.array(grid, dtype=float).clip(1e-3)
    shares: np.ndarray = whole / whole.sum(axis=1, keepdims=True)
    return shares
