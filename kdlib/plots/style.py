"""The one style of every figure: its looks, and the picture that carries its words with it.

Series differ in colour (after Okabe & Ito 2008, safe for colour-blind readers), in marker and in
line. The background is transparent and the ink a grey that reads on white and on black; inside a
page `svg` replaces that grey by the page's own text colour. Nothing here touches pyplot, so drawing
leaves no global state behind.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import html
import io
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

INK = "#767676"
WIDTH = 5.2  # inches: at this width 11-point text stays readable when a phone shrinks the figure
PIXELS_PER_INCH = 90  # on the page; a notebook's picture holds twice as many, for sharp screens


@dataclass(frozen=True)
class Look:
    """How a series is named and drawn, everywhere."""

    label: str
    color: str
    marker: str
    line: str | tuple[float, tuple[float, ...]]


LOOKS = {
    "teacher": Look("teacher", INK, "D", (0, (1, 1.2))),
    "student": Look("student", "#0072b2", "o", "solid"),
    "control_equal_steps": Look("control, equal steps", "#d55e00", "s", (0, (5, 1.5))),
    "control_equal_time": Look("control, equal time", "#cc79a7", "^", (0, (5, 1.5, 1, 1.5))),
}
MORE_LOOKS = (
    Look("", "#009e73", "v", (0, (3, 1))),
    Look("", "#9a7700", "P", (0, (7, 1.5, 1, 1.5, 1, 1.5))),
    Look("", "#2c8fc9", "X", (0, (2, 2))),
)

STYLE: dict[Any, Any] = {  # matplotlib types its keys one by one
    "font.size": 11,
    "legend.fontsize": 10,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.alpha": 0.15,
    "grid.linewidth": 0.8,
    "lines.linewidth": 1.8,
    "lines.markersize": 5,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "figure.constrained_layout.use": True,
    **dict.fromkeys(
        (
            "text.color",
            "axes.edgecolor",
            "axes.labelcolor",
            "xtick.color",
            "ytick.color",
            "grid.color",
        ),
        INK,
    ),
}


def looks_of(labels: Iterable[str]) -> dict[str, Look]:
    """A look for each label: the models keep theirs, the others take what is left, in order."""
    labels = list(labels)
    known = {look.label: look for look in LOOKS.values()}
    taken = {label: known[label] for label in labels if label in known}
    student, control, other_control = list(LOOKS.values())[1:]
    order = (student, control, MORE_LOOKS[0], other_control, *MORE_LOOKS[1:], LOOKS["teacher"])
    free = [look for look in order if look not in taken.values()]
    unknown = [label for label in labels if label not in known]
    if len(unknown) > len(free):
        raise ValueError(
            f"{len(labels)} series in one figure; draw at most {len(taken) + len(free)}"
        )
    given = {label: replace(look, label=label) for label, look in zip(unknown, free)}
    return {label: (taken | given)[label] for label in labels}


class Picture(Figure):
    """A figure with words: `alt` says what there is to see.

    A notebook shows it as an image that has its words with it: notebook programs drop the words
    that stand in an image's metadata, but keep those of an `<img>`. The plain text is the words
    alone; two runs of a notebook are compared by them and not by pixels.
    """

    alt = ""

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/html": img(self), "text/plain": self.alt}


@contextlib.contextmanager
def in_style(**more: Any) -> Iterator[None]:
    """This file's settings and no one else's; the caller's come back afterwards."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(STYLE | more)
        yield


def styled(draw: Callable[..., Picture]) -> Callable[..., Picture]:
    """Decorator of figure functions: draw in the one style."""

    @functools.wraps(draw)
    def wrapped(*args: Any, **kwargs: Any) -> Picture:
        with in_style():
            return draw(*args, **kwargs)

    return wrapped


def canvas(height: float, alt: str = "") -> tuple[Picture, Axes]:
    """An empty picture of the common width, and its axes. height: inches."""
    picture = Picture(figsize=(WIDTH, height))
    picture.alt = alt
    return picture, picture.add_subplot()


def pen(look: Look) -> dict[str, Any]:
    """The look as arguments of `Axes.plot`."""
    return {"color": look.color, "linestyle": look.line, "marker": look.marker}


def img(picture: Picture, more: str = "") -> str:
    """The picture as an `<img>` element that holds it. more: further attributes."""
    data = base64.b64encode(png(picture)).decode("ascii")
    width = round(picture.get_figwidth() * PIXELS_PER_INCH)
    return (
        f'<img alt="{html.escape(picture.alt)}" width="{width}" style="max-width:100%"{more} '
        f'src="data:image/png;base64,{data}">'
    )


def png(picture: Picture) -> bytes:
    """The picture as a file for a sharp screen; the same picture gives the same bytes."""
    buffer = io.BytesIO()
    with in_style():
        picture.savefig(buffer, format="png", dpi=2 * PIXELS_PER_INCH, metadata={"Software": None})
    return buffer.getvalue()


def svg(picture: Picture) -> str:
    """The picture as an `<svg>` element for a page: described, byte-stable, self-contained."""
    # The salt makes the ids of clip paths and markers reproducible, and different in each figure.
    no_metadata = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    buffer = io.StringIO()
    with in_style(**{"svg.fonttype": "none", "svg.hashsalt": picture.alt}):
        picture.savefig(buffer, format="svg", metadata=no_metadata)
    markup = buffer.getvalue()
    markup = markup[markup.index("<svg") :].replace(INK, "currentColor")
    # "axes_1" and the like are never referred to, and would stand twice in a page of two figures.
    markup = re.sub(r' id="[\w.]+_\d+"', "", markup)
    # Without a fixed size it fills the width that the page gives it.
    markup = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", markup, count=1)
    markup = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", markup, count=1)
    return markup.replace("<svg", f'<svg role="img" aria-label="{html.escape(picture.alt)}"', 1)
