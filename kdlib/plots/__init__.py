"""All figures of the report and of the book, one function each, in a common style.

A figure function takes plain data and returns a `Picture`, a matplotlib figure whose attribute
``alt`` describes it in words. A notebook displays it directly; ``svg(picture)`` makes the markup
for a web page.

Beside them, `table` shows results, and `words` are the alt texts of the chapters' figures.
"""

from kdlib.plots.book import curves, distributions, heat_map, intervals, points
from kdlib.plots.explorable import Explorable, explorable
from kdlib.plots.run_comparison import cross_entropy_comparison
from kdlib.plots.run_curves import loss_curves, smooth
from kdlib.plots.run_reliability import reliability
from kdlib.plots.run_where_lost import lost_by_bin, lost_by_document
from kdlib.plots.runs import Point, cost_against_loss
from kdlib.plots.slider import Frames, frames
from kdlib.plots.style import INK, LOOKS, Look, Picture, looks_of, svg
from kdlib.plots.swatch import swatch
from kdlib.plots.table import Table, table
from kdlib.plots.words import words

__all__ = [
    "INK",
    "LOOKS",
    "Explorable",
    "Frames",
    "Look",
    "Picture",
    "Point",
    "Table",
    "cost_against_loss",
    "cross_entropy_comparison",
    "curves",
    "distributions",
    "explorable",
    "frames",
    "heat_map",
    "intervals",
    "looks_of",
    "loss_curves",
    "lost_by_bin",
    "lost_by_document",
    "points",
    "reliability",
    "smooth",
    "svg",
    "swatch",
    "table",
    "words",
]
