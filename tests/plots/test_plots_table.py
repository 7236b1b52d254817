"""Tables of results: the same text in both forms, told truly, and errors that help."""

from xml.etree import ElementTree

import pytest
import torch
from IPython.core.formatters import DisplayFormatter

from kdlib.plots import table

ROWS = {
    "hard": {"F2": 30.42, "texts": 1, "who": "the best"},
    "drawn": {"F2": None, "texts": 300, "who": "any"},
}


def test_as_text_it_is_aligned():
    assert str(table(ROWS, ".1f", "targets")).splitlines() == [
        "targets    F2  texts  who",
        "hard     30.4      1  the best",
        "drawn       -    300  any",
    ]


def test_a_notebook_shows_html_and_keeps_the_text():
    data, _ = DisplayFormatter().format(table(ROWS, ".1f", "targets"))
    assert data["text/plain"] == str(table(ROWS, ".1f", "targets"))
    root = ElementTree.fromstring(data["text/html"])
    found = [[cell.text or "" for cell in row] for row in root.iter("tr")]
    assert found == [
        ["targets", "F2", "texts", "who"],
        ["hard", "30.4", "1", "the best"],
        ["drawn", "-", "300", "any"],
    ]
    assert {cell.get("scope") for cell in root.iter("th")} == {"col", "row"}


@pytest.mark.parametrize(
    ("value", "form", "expected"),
    [
        (-0.00001, ".4f", "0.0000"),
        (-0.0, ".4f", "0.0000"),
        (-0.0, ".1%", "0.0%"),
        (-0.0, ".1e", "0.0e+00"),
        (-0.4, ".0f", "0"),
        (-0.04, ".1f", "0.0"),
        (-0.05001, ".1f", "-0.1"),
        (-1e-10, ".0e", "-1e-10"),
        (torch.tensor(-0.0), ".4f", "0.0000"),
        (torch.tensor(0.25), ".2f", "0.25"),
        (torch.tensor(7), ".4f", "7"),
        (200_000, ",", "200,000"),
        (200_000, ".4f", "200000"),
        (0.5, ".0%", "50%"),
        (float("inf"), ".4f", "inf"),
        ("<b>", ".4f", "<b>"),
        (None, ".4f", "-"),
    ],
)
def test_a_value_as_it_is_written(value, form, expected):
    shown = table({"row": {"column": value}}, form)
    assert str(shown).split()[-1] == expected
    assert ElementTree.fromstring(shown._repr_html_()).find(".//td").text == expected


def test_a_column_has_its_own_format():
    shown = table({"a": {"x": 0.5, "y": 0.5, "n": 3}}, {"y": ".0%"})
    assert str(shown).splitlines()[1].split() == ["a", "0.5000", "50%", "3"]
    shown = table({"a": {"n": 3}}, {"n": ".1f"})
    assert str(shown).splitlines()[1].split() == ["a", "3.0"]


def test_names_may_be_numbers():
    assert str(table({1: {2: 0.5}}, ".1f")).splitlines() == ["     2", "1  0.5"]


def test_what_cannot_be_a_table_is_refused():
    with pytest.raises(ValueError, match="rows is empty"):
        table({})
    with pytest.raises(ValueError, match="rows is empty"):
        table({"a": {}})
    with pytest.raises(ValueError, match=r"row 'b' has the columns \['y'\], the first row \['x'\]"):
        table({"a": {"x": 1}, "b": {"y": 1}})
    with pytest.raises(ValueError, match=r"formats names \['z'\], but the columns are \['x'\]"):
        table({"a": {"x": 1}}, {"z": ".1f"})


def test_the_order_of_columns_is_that_of_the_first_row():
    shown = table({"a": {"x": 1, "y": 2}, "b": {"y": 4, "x": 3}})
    assert str(shown).splitlines()[2].split() == ["b", "3", "4"]
