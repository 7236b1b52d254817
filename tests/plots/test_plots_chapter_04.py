"""The pieces of a KL, the triangle of three outputs, and a plane of named points."""

import math

import numpy as np
import pytest

from kdlib.plots import svg
from kdlib.plots.chapter_04 import CORNERS, LEVELS, plane, signed_pieces, triangles

P = (0.7, 0.2, 0.1)
STUDENTS = {"A": (0.6, 0.3, 0.1), "B": (0.8, 0.1, 0.1)}


def test_the_pieces_are_the_terms_of_the_sum():
    picture = signed_pieces(P, STUDENTS, alt="Pieces.")
    upper, lower = picture.axes[:2], picture.axes[2:]
    for axes, q in zip(lower, STUDENTS.values()):
        heights = [bar.get_height() for bar in axes.patches]
        assert heights == pytest.approx([p * math.log(p / x) for p, x in zip(P, q)])
        assert [text.get_text() for text in axes.texts] == [f"{x + 0:+.3f}" for x in heights]
    assert [axes.get_title() for axes in upper] == ["A: KL = 0.0268", "B: KL = 0.0452"]
    assert [bar.get_height() for bar in upper[0].patches] == pytest.approx([*P, *STUDENTS["A"]])
    assert picture.alt == "Pieces."


def test_the_dots_stand_where_the_distributions_are():
    picture = triangles(P, STUDENTS, alt="Triangles.")
    for axes in picture.axes:
        drawn = {text.get_text(): text.xy for text in axes.texts if hasattr(text, "xy")}
        assert drawn["P"] == pytest.approx(np.array(P) @ CORNERS)
        assert drawn["B"] == pytest.approx(np.array(STUDENTS["B"]) @ CORNERS)
    assert [axes.get_title() for axes in picture.axes] == ["KL(P‖Q)", "KL(Q‖P)"]
    assert picture.alt == "Triangles."


def test_the_contours_are_those_of_either_direction():
    """Each line is at its height, to the fineness of the grid."""
    p = np.array(P)
    for number, axes in enumerate(triangles(P, STUDENTS, alt="Triangles.").axes):
        (contours,) = axes.collections
        assert tuple(contours.levels) == LEVELS
        for level, path in zip(LEVELS, contours.get_paths()):
            weights = np.linalg.solve(
                np.vstack([CORNERS.T, np.ones(3)]),
                np.vstack([path.vertices.T, np.ones(len(path.vertices))]),
            ).T
            q = weights[(weights > 0.03).all(axis=1)]
            terms = q * np.log(q / p) if number else p * np.log(p / q)
            assert np.allclose(terms.sum(axis=1), level, atol=0.02)


def test_named_points_have_their_names_beside_them():
    places = {"teacher": (1.0, 2.0), "forward KL": (3.0, 1.0)}
    picture = plane(places, xlabel="x", ylabel="y", alt="A plane.", below=["teacher"])
    (axes,) = picture.axes
    assert {text.get_text(): text.xy for text in axes.texts} == places
    lifts = {text.get_text(): text.xyann[1] for text in axes.texts}
    assert lifts["teacher"] < 0 < lifts["forward KL"] and axes.get_xlabel() == "x"
    assert [tuple(line.get_xydata()[0]) for line in axes.lines] == list(places.values())


def test_drawing_twice_gives_the_same_bytes():
    assert svg(triangles(P, STUDENTS, alt="T.")) == svg(triangles(P, STUDENTS, alt="T."))
