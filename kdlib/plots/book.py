"""The figures of the chapters: functions from plain data to a picture.

Every function takes ``alt``, the alt text for readers who cannot see the picture: what it shows and
what to notice, not how it is drawn. Values can be lists, arrays or tensors without gradient.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from kdlib.plots.labels import legend, name_series, note, plain_ticks, vertical
from kdlib.plots.style import Picture, canvas, looks_of, pen, styled

Values = Iterable[float]
FEW, MARKERS_A_LINE = 24, 10  # so many points are all marked; more markers would hide the line
COLOURS = "cividis"  # dark to bright, and safe for colour-blind readers


@styled
def distributions(
    series: Mapping[str, Values],
    words: Sequence[str],
    *,
    alt: str,
    ylabel: str = "probability",
) -> Picture:
    """Grouped bars: for each word one bar per series, topped by the marker of the series.

    Args:
        series: label to the heights, one per word.
        words: the groups, in order.
        alt: the alt text.
        ylabel: label of the y axis.

    Returns:
        The picture.

    Raises:
        ValueError: for an empty alt text, or for a series without one value per word.
    """
    picture, axes = _described(3.4, alt)
    width = 0.8 / len(series)
    for number, (label, look) in enumerate(looks_of(series).items()):
        heights = _numbers(series[label], len(words), label)
        middles = [word + (number - (len(series) - 1) / 2) * width for word in range(len(words))]
        axes.bar(middles, heights, 0.85 * width, color=look.color, alpha=0.35)
        style = pen(look) | {"linestyle": "none", "clip_on": False, "zorder": 3}
        axes.plot(middles, heights, **style, label=label)
    axes.set_xticks(range(len(words)), words)
    if sum(map(len, words)) > 40:
        axes.tick_params(axis="x", rotation=40)
        for tick in axes.get_xticklabels():
            tick.set(ha="right", rotation_mode="anchor")
    axes.tick_params(axis="x", length=0)
    axes.grid(visible=False, axis="x")
    axes.set_ylabel(ylabel)
    axes.set_ylim(bottom=0)
    legend(picture, axes)
    return picture


@styled
def curves(
    x: Values,
    series: Mapping[str, Values | tuple[Values, Values, Values]],
    *,
    xlabel: str,
    ylabel: str,
    alt: str,
    logx: bool = False,
    logy: bool = False,
    mark: Mapping[str, float] | None = None,
    notes: Mapping[str, tuple[float, ...]] | None = None,
) -> Picture:
    """Lines over a common x, with optional bands, each named at its end where there is room.

    Args:
        x: the positions.
        series: label to y values; a tuple (y, low, high) also draws the band from low to high.
        xlabel, ylabel: labels of the axes.
        alt: the alt text.
        logx, logy: logarithmic axes.
        mark: vertical lines, label to x.
        notes: remarks with an arrow, text to the point (x, y); see `labels.note`.

    Returns:
        The picture.

    Raises:
        ValueError: for an empty alt text, or for a series whose length differs from that of ``x``.
    """
    picture, axes = _described(3.6, alt)
    x = _numbers(x)
    looks = looks_of(series)
    for number, (label, look) in enumerate(looks.items()):
        values = series[label]
        y, *band = values if isinstance(values, tuple) else (values,)
        if band:
            low, high = (_numbers(edge, len(x), label) for edge in band)
            axes.fill_between(x, low, high, color=look.color, alpha=0.2, linewidth=0)
        step = 1 if len(x) <= FEW else len(x) // MARKERS_A_LINE
        # Markers start at a different point on each line, so that coinciding lines stay visible.
        every = (number * step // len(series), step)
        axes.plot(x, _numbers(y, len(x), label), **pen(look), label=label, markevery=every)
    for is_log, axis in ((logx, axes.xaxis), (logy, axes.yaxis)):
        if is_log:
            axes.set(**{f"{axis.axis_name}scale": "log"})
            plain_ticks(axis)
    for label, place in (mark or {}).items():
        vertical(axes, label, place)
    axes.set(xlabel=xlabel, ylabel=ylabel)
    name_series(picture, axes, looks)
    for text, point in (notes or {}).items():
        note(axes, text, point)
    return picture


@styled
def points(
    series: Mapping[str, tuple[Values, Values]],
    *,
    xlabel: str,
    ylabel: str,
    alt: str,
    notes: Mapping[str, tuple[float, ...]] | None = None,
) -> Picture:
    """A scatter plot.

    Args:
        series: label to (xs, ys).
        xlabel, ylabel: labels of the axes.
        alt: the alt text.
        notes: remarks with an arrow, text to the point (x, y); see `labels.note`.

    Returns:
        The picture.

    Raises:
        ValueError: for an empty alt text, or if xs and ys differ in length.
    """
    picture, axes = _described(3.6, alt)
    for label, look in looks_of(series).items():
        xs, ys = series[label]
        xs = _numbers(xs)
        style = pen(look) | {"linestyle": "none", "markersize": 6, "alpha": 0.8}
        axes.plot(xs, _numbers(ys, len(xs), label), **style, label=label)
    axes.set(xlabel=xlabel, ylabel=ylabel)
    legend(picture, axes)
    for text, point in (notes or {}).items():
        note(axes, text, point)
    return picture


@styled
def intervals(
    rows: Mapping[str, tuple[float, float, float]],
    *,
    xlabel: str,
    alt: str,
    baseline: float | Mapping[str, float] | None = None,
) -> Picture:
    """A dot with a whisker for each item, one row per item, the first on top.

    Args:
        rows: item to (value, low, high).
        xlabel: label of the x axis.
        alt: the alt text.
        baseline: reference value, drawn as a vertical line; a mapping label to x names it.

    Returns:
        The picture.

    Raises:
        ValueError: for an empty alt text.
    """
    picture, axes = _described(1.1 + 0.45 * len(rows), alt)
    look = looks_of(["student"])["student"]
    for row, (value, low, high) in enumerate(rows.values()):
        axes.plot([low, high], [row, row], color=look.color, linewidth=2.5, alpha=0.5)
        axes.plot([value], [row], color=look.color, marker=look.marker, markersize=8)
    named = baseline if isinstance(baseline, Mapping) else {"baseline": baseline}
    for label, place in named.items():
        if place is not None:
            vertical(axes, label, place)
    axes.set_yticks(range(len(rows)), list(rows))
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel(xlabel)
    return picture


@styled
def heat_map(
    matrix: Sequence[Values],
    *,
    rows: Sequence[str | float],
    columns: Sequence[str | float],
    xlabel: str,
    ylabel: str,
    alt: str,
    fmt: str = "{:.2f}",
) -> Picture:
    """A coloured table with the numbers in its cells; NaN leaves a cell empty.

    Args:
        matrix: one sequence of values per row.
        rows, columns: names of the rows and columns.
        xlabel, ylabel: labels of the axes.
        alt: the alt text.
        fmt: format of the numbers.

    Returns:
        The picture.

    Raises:
        ValueError: for an empty alt text, or if the matrix does not fit ``rows`` and ``columns``.
    """
    numbers = [_numbers(values, len(columns), f"row {row}") for row, values in zip(rows, matrix)]
    if len(matrix) != len(rows):
        raise ValueError(f"matrix has {len(matrix)} rows, but {len(rows)} are named")
    picture, axes = _described(1.1 + 0.42 * len(rows), alt)
    image = axes.imshow(numbers, cmap=COLOURS, aspect="auto")
    shades = image.to_rgba(np.array(numbers))
    for row, values in enumerate(numbers):
        for column, value in enumerate(values):
            if not math.isnan(value):
                ink = _readable_on(*shades[row, column, :3])
                axes.text(
                    column, row, fmt.format(value), color=ink, ha="center", va="center", fontsize=9
                )
    axes.set_xticks(range(len(columns)), [str(name) for name in columns])
    axes.set_yticks(range(len(rows)), [str(name) for name in rows])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.grid(visible=False)
    axes.set(xlabel=xlabel, ylabel=ylabel)
    return picture


def _described(height: float, alt: str) -> tuple[Picture, Axes]:
    """A `canvas` that insists on alt text."""
    if not alt.strip():
        raise ValueError("alt is empty; say in words what the picture shows")
    return canvas(height, alt)


def _numbers(values: Values, length: int | None = None, name: str = "") -> list[float]:
    """The values as floats; ValueError unless there are ``length`` of them."""
    numbers = [float(value) for value in values]
    if length not in (None, len(numbers)):
        raise ValueError(f"{name} has {len(numbers)} values; it must have {length}")
    return numbers


def _readable_on(red: float, green: float, blue: float) -> str:
    """Black on bright colours, white on dark ones, by relative luminance."""
    return "black" if 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.46 else "white"
