"""Maps with titles, ranges and one colour bar; segments in the triangle of three words."""

import numpy as np
import pytest

from kdlib.plots import svg
from kdlib.plots.chapter_04 import CORNERS
from kdlib.plots.chapter_06 import LEVELS, maps, segments

NAMES = {"rows": ["r", "s"], "columns": [1, 2, 3], "xlabel": "x", "ylabel": "y", "bar": "share"}
VALUES = [[0.0, 0.5, 1.0], [0.25, float("nan"), 0.75]]
LOW, HIGH = [[0.0, 0.1, 0.9], [0.2, 0.3, 0.7]], [[0.1, 0.6, 1.0], [0.3, 0.5, 0.8]]
TRUTH, LABELS = (0.6, 0.3, 0.1), (0.4, 0.3, 0.3)
TEACHERS = {"unsure": (0.45, 0.3, 0.25), "too sure": (0.8, 0.15, 0.05)}


@pytest.fixture
def pair():
    panels = {"theory": VALUES, "measured": (VALUES, LOW, HIGH)}
    return maps(panels, **NAMES, alt="Two maps.")


def test_each_panel_has_its_title_and_its_numbers(pair):
    theory, measured, bar = pair.axes
    assert [axes.get_title() for axes in (theory, measured)] == ["theory", "measured"]
    assert {text.get_position(): text.get_text() for text in theory.texts} == {
        (0, 0): "0.00", (1, 0): "0.50", (2, 0): "1.00", (0, 1): "0.25", (2, 1): "0.75",
    }  # fmt: skip
    written = [text.get_text() for text in measured.texts]
    assert written[:4] == ["0.00", ".00\N{EN DASH}.10", "0.50", ".10\N{EN DASH}.60"]
    assert ".90\N{EN DASH}1.00" in written and len(written) == 10
    assert bar.get_ylabel() == "share" and bar.get_ylim() == (0, 1)


def test_panels_share_their_colours_and_axes(pair):
    theory, measured, _ = pair.axes
    shades = [axes.images[0].to_rgba(np.array([[0.3]])) for axes in (theory, measured)]
    assert np.array_equal(*shades)
    assert [text.get_text() for text in theory.get_xticklabels()] == ["1", "2", "3"]
    assert theory.get_ylabel() == "y" and measured.get_ylabel() == ""
    assert pair.alt == "Two maps." and "theory" in svg(pair)


def test_ink_is_readable_at_both_ends_also_where_the_low_end_is_bright():
    for bright, inks in ((True, ["white", "black"]), (False, ["black", "white"])):
        picture = maps({"a": VALUES}, **NAMES, alt="A map.", bright=bright)
        found = {text.get_text(): text.get_color() for text in picture.axes[0].texts}
        assert [found["0.00"], found["1.00"]] == inks


def test_a_panel_that_does_not_fit_is_named():
    with pytest.raises(ValueError, match=r"'a' is of shape \(1, 3\)"):
        maps({"a": VALUES[:1]}, **NAMES, alt="A map.")


def test_segments_lead_from_the_labels_to_the_teachers():
    picture = segments(TRUTH, LABELS, TEACHERS, words=["sun", "rain", "snow"], alt="A triangle.")
    (axes,) = picture.axes
    lines = {line.get_label(): line.get_xydata() for line in axes.lines}
    for name, teacher in TEACHERS.items():
        assert np.allclose(lines[name], np.array([LABELS, teacher]) @ CORNERS)
    assert np.allclose(lines["truth"], [np.array(TRUTH) @ CORNERS])
    assert {text.get_text(): tuple(text.xy) for text in axes.texts} == dict(
        zip(["sun", "rain", "snow"], map(tuple, CORNERS))
    )
    assert picture.alt == "A triangle."


def test_the_rings_are_at_their_distances_from_the_truth():
    picture = segments(TRUTH, LABELS, TEACHERS, words="abc", alt="A triangle.")
    (contours,) = picture.axes[0].collections
    assert tuple(contours.levels) == LEVELS
    p = np.array(TRUTH)
    for level, path in zip(LEVELS[1:4], contours.get_paths()[1:4]):
        weights = np.linalg.solve(
            np.vstack([CORNERS.T, np.ones(3)]),
            np.vstack([path.vertices.T, np.ones(len(path.vertices))]),
        ).T
        q = weights[(weights > 0.02).all(axis=1)]
        assert np.allclose((p * np.log(p / q)).sum(axis=1), level, rtol=0.1)
