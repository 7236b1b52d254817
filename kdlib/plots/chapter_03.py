"""The figure of chapter 3: the number of possible outputs against what a machine can sum."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kdlib.plots.style import INK, Picture, canvas, looks_of, pen, styled

POWERS_A_TICK = 20


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
    for label, look in looks_of(labels).items():
        axes.plot(lengths, [float(terms) for terms in powers[label]], **pen(look), label=label)
    for label, terms in walls.items():
        axes.axhline(terms, color=INK, linewidth=1.2, linestyle=(0, (4, 3)))
        axes.annotate(
            label, (1, terms), (0, -3), xycoords=("axes fraction", "data"),
            textcoords="offset points", ha="right", va="top", fontsize=10,
        )  # fmt: skip
    axes.set_yscale("log")
    axes.set_xticks([n for n in lengths if n % 5 == 0])
    highest = max(terms for series in powers.values() for terms in series)
    axes.set_yticks([10.0**k for k in range(0, len(str(highest)) + 1, POWERS_A_TICK)])
    axes.minorticks_off()
    axes.set(xlabel="length of the output, L", ylabel="terms in the sum")
    picture.legend(loc="outside upper center", ncols=len(labels))
    return picture
