"""The common style of all figures, and the picture class that carries its alt text.

Series differ in colour (after Okabe & Ito 2008, safe for colour-blind readers), marker and line.
The background is transparent, and the ink is a grey that is readable on white and on black; in a
web page, `svg` replaces it with the text colour of the page. Nothing here uses pyplot, so drawing
leaves no global state behind.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import html
import io
import re
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

INK = "#767676"
WIDTH = 6.4  # inches, of a figure as wide as the text of the book
PAIR = 5.2  # inches, of one of two figures side by side on a wide page
PANEL = 4.0  # inches, of one of three
PIXELS_PER_INCH = 115  # of a notebook's text, which has then the size of the letters in a figure


@dataclass(frozen=True)
class Look:
    """How a series is named and drawn in every figure.

    Attributes:
        label: its name in legends.
        color: of line, marker and bar.
        marker: in matplotlib's notation.
        line: line style, in matplotlib's notation.
    """

    label: str
    color: str
    marker: str
    line: str | tuple[float, tuple[float, ...]]


LOOKS = {
    "teacher": Look("teacher", INK, "D", (0, (1, 1.2))),
    "student": Look("student", "#0072b2", "o", "solid"),
    "off_policy_equal_tokens": Look("off-policy, equal tokens", "#2c8fc9", "X", (0, (2, 2))),
    "off_policy_equal_compute": Look(
        "off-policy, equal compute", "#7a6fd0", "h", (0, (4, 2, 1, 2))
    ),
    "control_equal_steps": Look("control, equal steps", "#d55e00", "s", (0, (5, 1.5))),
    "control_equal_compute": Look("control, equal compute", "#cc79a7", "^", (0, (5, 1.5, 1, 1.5))),
    "control_patient": Look("control, patient", "#009e73", "v", (0, (3, 1))),
    "ngram": Look("n-gram, counted", "#9a7700", "P", (0, (7, 1.5, 1, 1.5, 1, 1.5))),
}
MORE_LOOKS = (
    Look("", "#009e73", "v", (0, (3, 1))),
    Look("", "#9a7700", "P", (0, (7, 1.5, 1, 1.5, 1, 1.5))),
    Look("", "#2c8fc9", "X", (0, (2, 2))),
)

STYLE: dict[Any, Any] = {  # Any: matplotlib declares the keys as a union of literals
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
    """A look for each label: models keep their own, other labels take the remaining ones in order.

    Raises:
        ValueError: if there are more labels than looks.
    """
    labels = list(labels)
    known = {look.label: look for look in LOOKS.values()}
    taken = {label: known[label] for label in labels if label in known}
    roles = ("student", "control_equal_steps", "control_equal_compute")
    student, control, other_control = (LOOKS[role] for role in roles)
    order = (student, control, MORE_LOOKS[0], other_control, *MORE_LOOKS[1:], LOOKS["teacher"])
    colors = {look.color for look in taken.values()}
    free = [look for look in order if look.color not in colors]
    unknown = [label for label in labels if label not in known]
    if len(unknown) > len(free):
        raise ValueError(
            f"{len(labels)} series in one figure; draw at most {len(taken) + len(free)}"
        )
    assigned = {label: replace(look, label=label) for label, look in zip(unknown, free)}
    return {label: (taken | assigned)[label] for label in labels}


class Picture(Figure):
    """A matplotlib figure with alt text.

    A notebook displays it as an ``<img>`` element, because notebook programs drop the alt text in
    an image's metadata but keep that of an ``<img>``. Its plain-text form is the alt text alone, so
    that two runs of a notebook are compared by their alt texts and not by pixels. What knows no HTML,
    such as nbconvert's way to LaTeX, prints these words in the picture's place; the PDF of the book
    (``python chapters/book.py --pdf``) has the pictures.

    Attributes:
        alt: what there is to see, in words.
    """

    alt = ""

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/html": img(self), "text/plain": self.alt}


@contextlib.contextmanager
def in_style(**more: Any) -> Iterator[None]:
    """A context with this file's matplotlib settings only; the caller's are restored afterwards.

    Args:
        more: further rcParams; they override those of this file.
    """
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(STYLE | more)
        yield


def styled(draw: Callable[..., Picture]) -> Callable[..., Picture]:
    """Decorator of figure functions, which draws them in the common style."""

    @functools.wraps(draw)
    def wrapped(*args: Any, **kwargs: Any) -> Picture:
        with in_style():
            return draw(*args, **kwargs)

    return wrapped


def canvas(height: float, alt: str = "") -> tuple[Picture, Axes]:
    """An empty picture as wide as the text, ``height`` inches high, and its axes."""
    picture = Picture(figsize=(WIDTH, height))
    picture.alt = alt
    return picture, picture.add_subplot()


def panel(height: float, width: float = PANEL) -> tuple[Picture, Axes]:
    """An empty picture, one of several side by side on a wide page, and its axes."""
    picture = Picture(figsize=(width, height))
    return picture, picture.add_subplot()


def pen(look: Look) -> dict[str, Any]:
    """The look as keyword arguments of ``Axes.plot``."""
    return {"color": look.color, "linestyle": look.line, "marker": look.marker}


def plain(text: str) -> str:
    """A user's text for a label: a dollar sign in it begins no formula."""
    return text.replace("$", r"\$")


def img(picture: Picture, more: str = "") -> str:
    """The picture as a self-contained ``<img>`` element; ``more`` holds further attributes.

    It holds an SVG, sharp at every size. What stands in an ``<img>`` cannot ask the page for its
    ink, so the ink stays the grey that is readable on white and on black.
    """
    data = base64.b64encode(_markup(picture).encode()).decode("ascii")
    width = round(picture.get_figwidth() * PIXELS_PER_INCH)
    return (
        f'<img alt="{html.escape(picture.alt)}" width="{width}" style="max-width:100%"{more} '
        f'src="data:image/svg+xml;base64,{data}">'
    )


def svg(picture: Picture) -> str:
    """The picture as an ``<svg>`` element for a page, self-contained and with its alt text.

    The same picture gives the same text, byte for byte.
    """
    markup = _markup(picture).replace(INK, "currentColor")
    # Without a fixed size it fills the available width of the page.
    markup = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", markup, count=1)
    markup = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", markup, count=1)
    return markup.replace("<svg", f'<svg role="img" aria-label="{html.escape(picture.alt)}"', 1)


def _markup(picture: Picture) -> str:
    """The picture as an ``<svg>`` element of a fixed size, its letters as text."""
    # The salt makes the ids of clip paths and markers reproducible, and unique to each figure.
    no_metadata = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    buffer = io.StringIO()
    settings = {"svg.fonttype": "none", "svg.hashsalt": picture.alt}
    with in_style(**settings), warnings.catch_warnings():
        # The letters are the page's: what matplotlib's own font lacks is missed by nobody.
        warnings.filterwarnings("ignore", "Glyph .* missing from")
        # The layout is found once: another round would move it by a hair, and the bytes with it.
        picture.draw_without_rendering()
        picture.set_layout_engine("none")
        picture.savefig(buffer, format="svg", metadata=no_metadata)
    markup = buffer.getvalue()
    markup = markup[markup.index("<svg") :]
    # Ids such as "axes_1" are never referenced, and would be duplicated in a page of two figures.
    return re.sub(r' id="[\w.]+_\d+"', "", markup)
