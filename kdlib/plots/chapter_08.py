"""The memory figures of chapter 8: stacked bars."""

from __future__ import annotations

from collections.abc import Mapping

from kdlib.plots.style import Picture, canvas, looks_of, styled

HATCHES = ("", "///", "...", "xx", "\\\\\\", "++", "oo")  # distinguish the parts without colour


@styled
def stacked_bars(bars: Mapping[str, Mapping[str, float]], *, xlabel: str, alt: str) -> Picture:
    """Stacked horizontal bars, one per item, the first on top.

    Args:
        bars: item to its parts, part to size. Parts of the same name look the same in every bar; a
            part that an item lacks has size 0.
        xlabel: label of the x axis.
        alt: the alt text.

    Returns:
        The picture.

    Raises:
        ValueError: for an empty alt text.
    """
    if not alt.strip():
        raise ValueError("alt is empty; say in words what the picture shows")
    parts = list(dict.fromkeys(part for bar in bars.values() for part in bar))
    picture, axes = canvas(1.3 + 0.5 * len(bars), alt)
    ends = [0.0] * len(bars)
    for (part, look), hatch in zip(looks_of(parts).items(), HATCHES, strict=False):
        sizes = [float(bar.get(part, 0)) for bar in bars.values()]
        axes.barh(
            range(len(bars)), sizes, 0.6, left=ends, label=part, color=(look.color, 0.45),
            edgecolor=look.color, hatch=hatch,
        )  # fmt: skip
        ends = [end + size for end, size in zip(ends, sizes)]
    axes.set_yticks(range(len(bars)), list(bars))
    axes.set_ylim(len(bars) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel(xlabel)
    picture.legend(loc="outside upper center", ncols=min(3, len(parts)))
    return picture
