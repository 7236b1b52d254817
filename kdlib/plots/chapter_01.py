"""The figure of chapter 1: two distributions, and the piece that each word adds to their KL."""

from __future__ import annotations

import math
from collections.abc import Sequence

from kdlib.plots.style import INK, WIDTH, Picture, looks_of, styled

TOTAL = "sum = KL"


@styled
def signed_pieces(
    words: Sequence[str], p: Sequence[float], q: Sequence[float], *, alt: str
) -> Picture:
    r"""Bars of P and Q over the words; below them the signed pieces P log(P/Q), and their sum.

    Args:
        words: the outcomes.
        p: the teacher's probabilities, all above 0.
        q: the student's, all above 0.
        alt: the alt text.

    Returns:
        The picture.
    """
    picture = Picture(figsize=(WIDTH, 4.2))
    picture.alt = alt
    above, below = picture.subplots(2, 1, sharex=True)
    looks = looks_of(["teacher", "student"])
    for shift, (label, heights) in zip((-0.2, 0.2), (("teacher", p), ("student", q))):
        places = [word + shift for word in range(len(words))]
        above.bar(places, heights, 0.36, color=looks[label].color, alpha=0.6, label=label)
    pieces = [a * math.log(a / b) for a, b in zip(p, q)]
    heights = [*pieces, sum(pieces)]
    colours = [*["#d55e00" if piece < 0 else "#0072b2" for piece in pieces], INK]
    below.bar(range(len(heights)), heights, 0.5, color=colours, alpha=0.7)
    for place, height in enumerate(heights):
        below.annotate(
            f"{height:+.2f}".replace("-", "−"), (place, height), (0, 2 if height > 0 else -2),
            textcoords="offset points", ha="center", va="bottom" if height > 0 else "top",
        )  # fmt: skip
    below.axhline(0, color=INK, linewidth=1)
    below.margins(y=0.25)
    below.set_xticks(range(len(heights)), [*words, TOTAL])
    for axes, label in ((above, "probability"), (below, "P log(P/Q), nats")):
        axes.set_ylabel(label)
        axes.tick_params(axis="x", length=0)
        axes.grid(visible=False, axis="x")
    above.legend(loc="upper right")
    return picture
