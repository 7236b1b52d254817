"""The figure of chapter 7: what each training has cost, and how well it has ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter

from kdlib.plots.labels import legend
from kdlib.plots.style import INK, Picture, canvas, looks_of, pen, styled

Training = tuple[float, float, float, float]


@styled
def frontier(
    arms: Mapping[str, Sequence[Training]],
    levels: Mapping[str, float],
    *,
    xlabel: str,
    ylabel: str,
    alt: str,
) -> Picture:
    """Finished trainings over what they cost, those of one kind joined; and what cost next to nothing.

    Args:
        arms: kind of training to its points (cost, loss, low, high), each with a whisker from low to
            high. The cost has a logarithmic axis.
        levels: named losses that stand for themselves, as horizontal lines.
        xlabel, ylabel: labels of the axes.
        alt: the alt text.

    Returns:
        The picture.

    Raises:
        ValueError: for an empty alt text.
    """
    if not alt.strip():
        raise ValueError("alt is empty; say in words what the picture shows")
    picture, axes = canvas(4.4, alt)
    for label, look in looks_of(arms).items():
        costs, losses, lows, highs = zip(*arms[label], strict=True)
        axes.vlines(costs, lows, highs, color=look.color, alpha=0.5, linewidth=2.5)
        axes.plot(costs, losses, **pen(look) | {"markersize": 7}, label=label)
    for label, loss in levels.items():
        axes.axhline(loss, color=INK, linewidth=1.2, linestyle=(0, (4, 3)))
        axes.annotate(
            label, (0, loss), (4, 2), xycoords=("axes fraction", "data"),
            textcoords="offset points", ha="left", va="bottom", fontsize=9.5,
        )  # fmt: skip
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(EngFormatter(sep=" "))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set(xlabel=xlabel, ylabel=ylabel)
    legend(picture, axes)
    return picture
