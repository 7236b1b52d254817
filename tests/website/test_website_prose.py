"""A line of prose that begins with a number and a dot would become a list, and tear its sentence."""

import re

import contents
import nbformat
import pytest

SOURCES = [s for s in contents.sources() if s.with_suffix(".ipynb").exists()]
NUMBER = re.compile(r"^\s*\d+[.)] ")
ITEM = re.compile(r"^\s*(\d+[.)]|[-*+]) |^\s*$")


def torn(text):
    """Lines that begin like an item, after a line that is none, outside of code."""
    lines = re.sub(r"```.*?```", "", text, flags=re.DOTALL).splitlines()
    indented = "  "  # what goes on with an item above it
    return [
        line
        for before, line in zip(lines, lines[1:])
        if NUMBER.match(line) and not ITEM.match(before) and not before.startswith(indented)
    ]


def test_a_torn_sentence_is_seen():
    assert torn("A margin is at most\n1. So up to lambda = 1") == ["1. So up to lambda = 1"]
    assert torn("Two things:\n\n1. one\n   or more\n2. two") == []


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.stem)
def test_no_sentence_of_a_chapter_is_torn(source):
    notebook = nbformat.read(source.with_suffix(".ipynb"), as_version=4)
    cells = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    assert [line for cell in cells for line in torn(cell)] == []
