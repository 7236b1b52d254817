"""The style: told apart without colour, legible on any page, and the words go with the picture."""

import base64
import itertools
import re
import subprocess
import sys
from xml.etree import ElementTree

import matplotlib
import nbformat
import pytest
from IPython.core.formatters import DisplayFormatter
from matplotlib.colors import to_rgb
from nbconvert import LatexExporter

from kdlib import plots
from kdlib.plots.style import MORE_LOOKS, PIXELS_PER_INCH

ALL_LOOKS = (*plots.LOOKS.values(), *MORE_LOOKS)


def luminance(colour):
    """Relative luminance as WCAG 2.2 (2023) defines it."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear))


def contrast(one, other):
    dark, bright = sorted((luminance(one), luminance(other)))
    return (bright + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("page", ["white", "#111111"])
def test_looks_are_legible_on_light_and_dark_pages(page):
    """3 is what WCAG asks of graphics, 4.5 what it asks of text."""
    assert all(contrast(look.color, page) >= 3 for look in ALL_LOOKS)
    assert contrast(plots.INK, page) >= 4


@pytest.mark.parametrize(
    "labels",
    [
        [look.label for look in plots.LOOKS.values()],
        "abcdefg",
        ["a", "control, patient", "b", "n-gram, counted", "c", "student"],
    ],
)
def test_looks_of_one_figure_differ_in_more_than_colour(labels):
    for one, other in itertools.combinations(plots.looks_of(labels).values(), 2):
        assert one.color != other.color
        assert one.marker != other.marker
        assert one.line != other.line


def test_models_keep_their_look_whatever_stands_beside_them():
    looks = plots.looks_of(["first", "student", "teacher", "second"])
    assert list(looks) == ["first", "student", "teacher", "second"]
    assert looks["student"] == plots.LOOKS["student"]
    assert looks["teacher"] == plots.LOOKS["teacher"]
    assert len({look.color for look in looks.values()}) == 4
    assert [look.label for look in looks.values()] == list(looks)


def test_there_are_seven_looks_and_no_eighth():
    assert len({look.marker for look in plots.looks_of("abcdefg").values()}) == 7
    with pytest.raises(ValueError, match="8 series in one figure; draw at most 7"):
        plots.looks_of("abcdefgh")
    with pytest.raises(ValueError, match="8 series in one figure; draw at most 7"):
        plots.looks_of(["teacher", *"abcdefg"])


def shown(picture):
    """The attributes of the image that a notebook shows."""
    data, _ = DisplayFormatter().format(picture)
    assert data["text/plain"] == picture.alt
    return ElementTree.fromstring(data["text/html"].removesuffix(">") + "/>").attrib


def image_of(picture):
    return base64.b64decode(shown(picture)["src"].removeprefix("data:image/svg+xml;base64,"))


def test_a_notebook_shows_the_image_with_its_words(draw):
    attributes = shown(draw())
    assert attributes["alt"] == draw().alt != ""
    root = ElementTree.fromstring(image_of(draw()))
    assert root.tag == "{http://www.w3.org/2000/svg}svg" and root.get("viewBox")
    points_wide = float(root.get("width").removesuffix("pt"))
    assert int(attributes["width"]) == pytest.approx(points_wide * PIXELS_PER_INCH / 72, abs=1)


def test_a_notebook_s_image_is_stable_and_names_no_software(draw):
    assert image_of(draw()) == image_of(draw())
    assert b"matplotlib" not in image_of(draw()).lower()


def test_a_notebook_s_image_needs_no_page(draw):
    """An image takes neither ink nor fonts from its page: it is transparent, and its ink is grey."""
    markup = image_of(draw()).decode()
    assert plots.INK in markup and "currentColor" not in markup
    assert "sans-serif" in markup and "<text" in markup
    others = [url for url in re.findall(r'"(http[^"]*)"', markup) if "w3.org" not in url]
    assert others == []
    ground = ElementTree.fromstring(markup).find(".//{*}path")  # the figure's own, drawn first
    assert ground.get("style") in (None, "fill: none")


def test_svg_is_described_stable_and_takes_the_page_s_ink(draw):
    markup = plots.svg(draw())
    assert markup == plots.svg(draw())
    root = ElementTree.fromstring(markup)
    assert root.get("role") == "img" and root.get("aria-label") == draw().alt
    assert root.get("viewBox") and root.get("width") is None
    assert "currentColor" in markup and plots.INK not in markup
    assert "<metadata" not in markup and "<text" in markup


def test_alt_text_is_escaped(draw):
    figure = draw()
    figure.alt = '<"&'
    assert ElementTree.fromstring(plots.svg(figure)).get("aria-label") == '<"&'
    assert shown(figure)["alt"] == '<"&'


def test_the_caller_s_settings_change_nothing_and_stay(draw):
    theirs = {"font.size": 33, "axes.edgecolor": "red"}
    with matplotlib.rc_context(theirs):
        figure = draw()
        assert {name: matplotlib.rcParams[name] for name in theirs} == theirs
        with matplotlib.rc_context({"savefig.facecolor": "red", "savefig.bbox": "tight"}):
            markup, shown = plots.svg(figure), figure._repr_mimebundle_()
    assert figure.axes[0].xaxis.label.get_fontsize() == 11
    assert markup == plots.svg(draw())
    assert shown == draw()._repr_mimebundle_()


def test_pyplot_is_never_loaded():
    code = """if True:
        import sys
        from kdlib import plots
        shown = plots.curves([1], {"a": [1]}, xlabel="x", ylabel="y", alt="One point.")
        plots.svg(shown), shown._repr_mimebundle_()
        assert "matplotlib.pyplot" not in sys.modules"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_on_the_way_to_latex_a_picture_becomes_its_words():
    picture = plots.points({"a": ([1], [1])}, xlabel="x", ylabel="y", alt="A point & 50 % of _it_.")
    output = nbformat.v4.new_output("display_data", picture._repr_mimebundle_())
    cell = nbformat.v4.new_code_cell("picture", outputs=[output])
    text, _ = LatexExporter().from_notebook_node(nbformat.v4.new_notebook(cells=[cell]))
    assert r"A point \& 50 \% of \_it\_." in text and "base64" not in text
