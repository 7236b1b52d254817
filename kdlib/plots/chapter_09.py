"""The figure of chapter 9: which words of a batch count in the loss."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.patches import Rectangle

from kdlib.plots.style import INK, LOOKS, Picture, canvas, styled

FILLS = {  # role of a word in the loss: (colour, opacity)
    "given": (INK, 0.12),
    "counted": (LOOKS["student"].color, 0.18),
    "not counted": ("none", 1.0),
}


@styled
def counted_words(
    texts: Sequence[Sequence[str]], kinds: Sequence[Sequence[str]], *, alt: str
) -> Picture:
    """Texts as rows of words, each in a cell coloured by its role in the loss.

    Words that do not count are struck out, so that the picture can be read without its colours.

    Args:
        texts: the words of each text.
        kinds: the role of each word, a key of ``FILLS``.
        alt: the alt text.

    Returns:
        The picture.

    Raises:
        ValueError: if ``texts`` and ``kinds`` differ in shape.
    """
    picture, axes = canvas(0.7 + 0.3 * len(texts), alt)
    for row, (words, kinds_of_row) in enumerate(zip(texts, kinds, strict=True)):
        for place, (word, kind) in enumerate(zip(words, kinds_of_row, strict=True)):
            color, opacity = FILLS[kind]
            axes.add_patch(_cell(place, row, color, opacity))
            axes.text(place, row, word, ha="center", va="center", fontsize=8.5)
            if kind == "not counted":
                axes.plot([place - 0.35, place + 0.35], [row, row], color=INK, linewidth=1)
    axes.set(
        xlim=(-0.5, max(len(words) for words in texts) - 0.5), ylim=(len(texts) - 0.5, -0.5),
        xticks=[], yticks=[],
    )  # fmt: skip
    axes.grid(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)
    handles = [_cell(0, 0, *fill) for fill in FILLS.values()]
    picture.legend(handles, list(FILLS), loc="outside upper center", ncols=len(FILLS))
    return picture


def _cell(place: float, row: float, color: str, opacity: float) -> Rectangle:
    """The filled cell around a word."""
    return Rectangle(
        (place - 0.46, row - 0.4), 0.92, 0.8, facecolor=color, alpha=opacity, edgecolor=INK
    )
