"""Frames: the page holds all pictures and their words, and needs nothing from outside."""

import re
from xml.etree import ElementTree

import pytest

from kdlib import plots


def three(**more):
    """Frames of three settings; labels and words hold characters that mean something in HTML."""
    pictures = {
        label: plots.points({"a": ([1], [1])}, xlabel="x", ylabel="y", alt=f'At "{label}".')
        for label in ("0.5", "1", "<2>")
    }
    return plots.frames(pictures, name="T & more", **more)


def page(frames):
    return frames._repr_mimebundle_()["text/html"]


def parsed(frames):
    # img and input are the void elements of HTML that XML wants closed.
    return ElementTree.fromstring(re.sub(r"(<(?:img|input)\b[^>]*)>", r"\1/>", page(frames)))


def test_the_words_stand_beside_the_page():
    words = three()._repr_mimebundle_()["text/plain"]
    assert words.splitlines() == [
        'T & more 0.5: At "0.5".',
        'T & more 1: At "1".',
        'T & more <2>: At "<2>".',
    ]


def test_each_setting_has_its_picture_under_its_label():
    root = parsed(three())
    assert [caption.text for caption in root.iter("figcaption")] == [
        "T & more 0.5",
        "T & more 1",
        "T & more <2>",
    ]
    images = list(root.iter("img"))
    assert [image.get("alt") for image in images] == ['At "0.5".', 'At "1".', 'At "<2>".']
    assert all(image.get("src").startswith("data:image/svg+xml;base64,") for image in images)
    (slider,) = root.iter("input")
    assert (slider.get("min"), slider.get("max"), slider.get("value")) == ("0", "2", "0")
    assert root.find("label").text.strip() == "T & more"


def test_the_stops_have_the_first_word_of_their_labels():
    picture = plots.points({"a": ([1], [1])}, xlabel="x", ylabel="y", alt="A point.")
    root = parsed(plots.frames({"0.1 (a tenth)": picture, 3: picture}, name="x"))
    (stops,) = [span for span in root.iter("span") if span.get("aria-hidden") == "true"]
    assert [stop.text for stop in stops] == ["0.1", "3"]


@pytest.mark.parametrize(("start", "value"), [(None, "0"), ("0.5", "0"), ("<2>", "2")])
def test_it_starts_where_it_is_told(start, value):
    (slider,) = parsed(three(start=start)).iter("input")
    assert slider.get("value") == value


def test_a_start_that_is_no_frame_is_an_error():
    with pytest.raises(ValueError, match="start is '3'; it must be one of 0.5, 1, <2>"):
        three(start="3")


def test_a_start_may_be_a_number_and_labels_that_read_alike_are_an_error():
    picture = plots.points({"a": ([1], [1])}, xlabel="x", ylabel="y", alt="A point.")
    (slider,) = parsed(plots.frames({"0.5": picture, 1: picture}, name="x", start="1")).iter(
        "input"
    )
    assert slider.get("value") == "1"
    with pytest.raises(ValueError, match="labels are 1, '1'; two of them read alike"):
        plots.frames({1: picture, "1": picture}, name="x")


def test_without_scripts_all_pictures_stay_and_the_slider_is_away():
    root = parsed(three())
    assert root.find("label").get("style") == "display:none"
    assert not [f for f in root.iter("figure") if "display" in f.get("style", "")]
    scripts = [i.get("onload") for i in root.iter("img")]
    assert scripts[:-1] == [None, None] and "oninput" in scripts[-1]


def test_the_page_is_stable_and_asks_for_nothing_from_outside():
    assert page(three()) == page(three())
    assert "http" not in page(three()) and "<script" not in page(three())
    assert not re.search(r'\bid="', page(three())), "two sliders on one page would share it"


def test_only_the_data_move():
    words = {"xlabel": "x", "ylabel": "y", "alt": "Words."}
    low = plots.curves([0, 1], {"a": [0, 1]}, **words)
    high = plots.curves([2, 3], {"a": [5, 9]}, **words)
    plots.frames({"low": low, "high": high}, name="height")
    assert low.axes[0].get_xlim() == high.axes[0].get_xlim()
    assert low.axes[0].get_ylim() == high.axes[0].get_ylim()
    bottom, top = low.axes[0].get_ylim()
    assert bottom <= 0 and top >= 9


def test_an_axis_that_runs_downwards_still_does():
    rows = [
        plots.intervals(dict.fromkeys(names, (1, 0, 2)), xlabel="x", alt="Rows.")
        for names in ("ab", "abc")
    ]
    plots.frames(dict(enumerate(rows)), name="rows")
    assert [each.axes[0].get_ylim() for each in rows] == [(2.5, -0.5)] * 2


def test_no_frames_are_an_error():
    with pytest.raises(ValueError, match="pictures is empty"):
        plots.frames({}, name="nothing")
