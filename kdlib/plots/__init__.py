"""All figures of the report and of the book, one function each, in a common style.

A figure function takes plain data and returns a `Picture`, a matplotlib figure whose attribute
``alt`` describes it in words. A notebook displays it directly; ``svg(picture)`` makes the markup
for a web page.
"""

from kdlib.plots.book import curves, distributions, heat_map, intervals, points
from kdlib.plots.report import cross_entropy_comparison, loss_curves, reliability, smooth
from kdlib.plots.slider import Frames, frames
from kdlib.plots.style import INK, LOOKS, Look, Picture, looks_of, svg

__all__ = [
    "INK",
    "LOOKS",
    "Frames",
    "Look",
    "Picture",
    "cross_entropy_comparison",
    "curves",
    "distributions",
    "frames",
    "heat_map",
    "intervals",
    "looks_of",
    "loss_curves",
    "points",
    "reliability",
    "smooth",
    "svg",
]
