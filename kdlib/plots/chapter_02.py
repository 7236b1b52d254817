"""The figures of chapter 2: the world of stories, and who reads what."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from kdlib.plots.style import INK, LOOKS, WIDTH, Picture, canvas, styled

TEACHER, STUDENT, LOSS = "#d55e00", LOOKS["student"].color, "#009e73"
THICKEST = 7.0  # points, of an arrow that a story takes once
THINNEST = 0.4
LARGE, SMALL = 11.0, 7.0  # points, of the letters in a diagram
Place = tuple[float, float]


@styled
def story_graph(
    columns: Sequence[Sequence[str]], steps: Mapping[tuple[str, str], float], *, alt: str
) -> Picture:
    """The words of a language and which may follow which, from left to right.

    Args:
        columns: the words, as they follow each other in a story. The word of the last column, the
            end of a story, is drawn at the left as well, where a story begins.
        steps: (word, next word) to how often a story takes this step on average; an arrow is
            as thick as that.
        alt: the alt text.

    Returns:
        The picture.
    """
    picture, axes = canvas(3.4, alt)
    places = _places(columns)
    (end,) = columns[-1]
    starts = places | {end: (0.0, 0.0)}
    for (word, following), often in steps.items():
        if often > 0:
            _step(axes, starts[word], places[following], often)
    for word, place in [*places.items(), (end, starts[end])]:
        axes.text(
            *place, word, ha="center", va="center", fontsize=10, zorder=3,
            bbox={"boxstyle": "round,pad=0.18", "facecolor": "white", "edgecolor": INK},
            color="black",
        )  # fmt: skip
    _bare(axes, (-0.4, len(columns) + 0.4), (-1.9, 1.9))
    return picture


def _places(columns: Sequence[Sequence[str]]) -> dict[str, Place]:
    """Each column in the middle of the picture's height, its words one below the other."""
    return {
        word: (float(column), (len(words) - 1) / 2 - row)
        for column, words in enumerate(columns, start=1)
        for row, word in enumerate(words)
    }


def _step(axes: Axes, start: Place, stop: Place, often: float) -> None:
    """An arrow; one that leads back, or past a column, is bent so that it hides no word."""
    across = stop[0] - start[0]
    bend = 0.0 if across == 1 else -0.45 if across < 0 else 0.25
    axes.add_patch(
        FancyArrowPatch(
            start, stop, arrowstyle="-", connectionstyle=f"arc3,rad={bend}", alpha=0.55,
            linewidth=max(THINNEST, THICKEST * often), shrinkA=6, shrinkB=6, capstyle="round",
            color=STUDENT if across > 0 else TEACHER,
        )
    )  # fmt: skip


@styled
def who_reads_what(pairings: Mapping[str, tuple[str, str]], *, alt: str) -> Picture:
    """Teacher and student with what each of them reads, the loss between them, and its gradient.

    Args:
        pairings: title to (what the teacher reads, what the student reads). The first is drawn
            large, the others small in a row below it.
        alt: the alt text.

    Returns:
        The picture.
    """
    (first, *others) = pairings.items()
    picture = Picture(figsize=(WIDTH, 4.4 if others else 2.6))
    picture.alt = alt
    if not others:
        _pairing(picture.add_subplot(), *first, size=LARGE)
        return picture
    grid = picture.add_gridspec(2, 1, height_ratios=[2.6, 1.8])
    above, below = picture.add_subfigure(grid[0]), picture.add_subfigure(grid[1])
    _pairing(above.add_subplot(), *first, size=LARGE)
    for number, other in enumerate(others, start=1):
        _pairing(below.add_subplot(1, len(others), number), *other, size=SMALL)
    return picture


def _pairing(axes: Axes, title: str, reads: tuple[str, str], size: float) -> None:
    """Two models one above the other, from what they read on the left to the loss on the right."""
    axes.set_title(title, fontsize=size + 1, color=INK)
    is_large = size > SMALL
    for model, text, height, color in zip(
        ("teacher", "student"), reads, (1.0, 0.0), (TEACHER, STUDENT)
    ):
        axes.text(0.4, height, text, ha="right", va="center", fontsize=size)
        _box(axes, (1.15, height), model, color, size)
        _arrow(axes, (0.44, height), (0.7, height), INK)
        _arrow(axes, (1.6, height), (2.06, 0.5 + 0.22 * (2 * height - 1)), color)
    axes.text(1.86, 0.9, "P", fontsize=size, color=TEACHER)
    axes.text(1.86, -0.02, "Q", fontsize=size, color=STUDENT)
    _box(axes, (2.45, 0.5), "loss", LOSS, size)
    _arrow(axes, (2.45, 0.28), (1.6, -0.12), LOSS, bend=-0.35, line="--")
    if is_large:
        axes.text(2.5, -0.2, "gradient, to the student only", fontsize=size - 1, color=LOSS,
                  ha="left", va="center")  # fmt: skip
        axes.text(1.15, 1.34, "frozen", fontsize=size - 1, color=TEACHER, ha="center", va="center")
    _bare(axes, (-0.6, 3.9) if is_large else (-0.05, 2.9), (-0.55, 1.5))


def _box(axes: Axes, middle: Place, text: str, color: str, size: float) -> None:
    x, y = middle
    half = 0.34 if size > SMALL else 0.42  # the small letters stand in narrower axes
    axes.add_patch(
        FancyBboxPatch(
            (x - half, y - 0.18), 2 * half, 0.36, boxstyle="round,pad=0.02", facecolor="none",
            edgecolor=color, linewidth=1.8,
        )
    )  # fmt: skip
    axes.text(x, y, text, ha="center", va="center", fontsize=size, color=color)


def _arrow(
    axes: Axes, start: Place, stop: Place, color: str, bend: float = 0.0, line: str = "-"
) -> None:
    axes.add_patch(
        FancyArrowPatch(
            start, stop, arrowstyle="-|>", mutation_scale=11, color=color, linewidth=1.4,
            linestyle=line, connectionstyle=f"arc3,rad={bend}", shrinkA=0, shrinkB=0,
        )
    )  # fmt: skip


def _bare(axes: Axes, x: Iterable[float], y: Iterable[float]) -> None:
    """Axes without ticks, lines and grid."""
    axes.set(xlim=tuple(x), ylim=tuple(y))
    axes.set_axis_off()
