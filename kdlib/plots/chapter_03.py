"""The figures of chapter 3: outputs as a tree, and their number against what a machine can sum."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes

from kdlib.plots.labels import name_series
from kdlib.plots.style import INK, Picture, canvas, looks_of, pen, styled

POWERS_A_TICK = 20
THICKEST = 26  # points, of a branch that is certain
Place = tuple[float, float]


@styled
def terms_and_walls(
    lengths: Sequence[int],
    vocabularies: Sequence[int],
    walls: Mapping[str, float],
    *,
    alt: str,
) -> Picture:
    r"""The :math:`V^L` terms of F3 over the length L, on a logarithmic scale.

    Args:
        lengths: values of L.
        vocabularies: values of V, one line each.
        walls: label to a number of terms that is within reach, drawn as a horizontal line.
        alt: the alt text.

    Returns:
        The picture.
    """
    picture, axes = canvas(3.6, alt)
    labels = [f"V = {size:,}" for size in vocabularies]
    powers = dict(zip(labels, ([size**n for n in lengths] for size in vocabularies)))
    looks = looks_of(labels)
    for label, look in looks.items():
        axes.plot(lengths, [float(terms) for terms in powers[label]], **pen(look), label=label)
    for label, terms in walls.items():
        axes.axhline(terms, color=INK, linewidth=1.2, linestyle=(0, (4, 3)))
        # Where every line has passed the wall at the right end, the room is below it.
        passed = all(series[-1] > terms for series in powers.values())
        axes.annotate(
            label, (1, terms), (0, -2 if passed else 2), xycoords=("axes fraction", "data"),
            textcoords="offset points", ha="right", va="top" if passed else "bottom", fontsize=10,
        )  # fmt: skip
    axes.set_yscale("log")
    axes.set_xticks([n for n in lengths if n % 5 == 0])
    highest = max(terms for series in powers.values() for terms in series)
    axes.set_yticks([10.0**k for k in range(0, len(str(highest)) + 1, POWERS_A_TICK)])
    axes.minorticks_off()
    axes.set(xlabel="length of the output, L", ylabel="terms in the sum")
    name_series(picture, axes, looks)
    return picture


@styled
def prefix_tree(
    shares: Mapping[str, float],
    *,
    alt: str,
    paths: Mapping[str, str] | None = None,
    drawn: Mapping[str, int] | None = None,
) -> Picture:
    """All outputs as a tree of prefixes whose branches are as thick as they are probable.

    A row is an output, or a branch that is not followed further. Its probability stands beside it.

    Args:
        shares: each prefix, words separated by spaces, to its probability. Parents stand before
            their children; prefixes without children are the rows, those of one parent together.
        alt: the alt text.
        paths: a name to the output whose branches get its line, from the root.
        drawn: an output to the number of times that it was drawn; written beside its probability.

    Returns:
        The picture.

    Raises:
        ValueError: for a prefix whose parent does not stand before it.
    """
    places = _places(shares)
    rows = _rows(shares)
    picture, axes = canvas(0.9 + 0.36 * len(rows), alt)
    for prefix, share in shares.items():
        x, y = _branch(places[_parent(prefix)], places[prefix])
        axes.plot(x, y, color=INK, alpha=0.3, linewidth=THICKEST * share, solid_capstyle="butt")
        axes.annotate(
            prefix.split()[-1], places[prefix], (-3, THICKEST * share / 2 + 1),
            textcoords="offset points", ha="right", va="bottom", fontsize=10,
        )  # fmt: skip
    last = max(x for x, _ in places.values())
    _paths(axes, places, paths or {})
    columns = {"probability": {row: f"{shares[row]:.4f}" for row in rows}}
    if drawn is not None:
        columns["drawn"] = {row: f"{drawn[row]:,}" for row in rows}
    for number, (title, texts) in enumerate(columns.items()):
        right = last + 0.62 + 0.45 * number
        axes.text(right, -0.9, title, ha="right", va="center", fontsize=10)
        for row, text in texts.items():
            axes.text(right, places[row][1], text, ha="right", va="center", fontsize=10)
    axes.set(xlim=(-0.15, last + 0.2 + 0.45 * len(columns)), ylim=(len(rows) - 0.5, -1.2))
    axes.set_axis_off()
    if paths:
        picture.legend(loc="outside upper center", ncols=len(paths))
    return picture


def _paths(axes: Axes, places: Mapping[str, Place], paths: Mapping[str, str]) -> None:
    """A line through the branches of each named output."""
    for label, look in looks_of(paths).items():
        at = ""
        x: list[float] = []
        y: list[float] = []
        for word in paths[label].split():
            end = f"{at} {word}".strip()
            more_x, more_y = _branch(places[at], places[end])
            x, y, at = x + more_x, y + more_y, end
        style = pen(look) | {"marker": "none", "linewidth": 2.2, "zorder": 3}
        axes.plot(x, y, **style, label=label)


def _parent(prefix: str) -> str:
    return " ".join(prefix.split()[:-1])


def _children(prefix: str, shares: Mapping[str, float]) -> list[str]:
    return [other for other in shares if _parent(other) == prefix]


def _rows(shares: Mapping[str, float], prefix: str = "") -> list[str]:
    """The prefixes without children, those of one parent together."""
    children = _children(prefix, shares)
    return [row for child in children for row in _rows(shares, child)] if children else [prefix]


def _places(shares: Mapping[str, float]) -> dict[str, Place]:
    """Where each prefix ends: across by its words, down by its row or in the middle of its own."""
    for number, prefix in enumerate(shares):
        if _parent(prefix) not in ["", *list(shares)[:number]]:
            raise ValueError(f"{prefix!r} stands before its parent {_parent(prefix)!r}")
    rows = iter(range(len(shares)))
    down = {prefix: next(rows) for prefix in _rows(shares)}
    places: dict[str, Place] = {}
    for prefix in [*reversed(list(shares)), ""]:
        own = [places[child][1] for child in _children(prefix, shares)]
        places[prefix] = (len(prefix.split()), sum(own) / len(own) if own else down[prefix])
    return places


def _branch(start: Place, end: Place) -> tuple[list[float], list[float]]:
    """A smooth line that leaves one place and reaches the other level."""
    steps = [step / 20 for step in range(21)]
    x = [start[0] + (end[0] - start[0]) * step for step in steps]
    y = [start[1] + (end[1] - start[1]) * step * step * (3 - 2 * step) for step in steps]
    return x, y
