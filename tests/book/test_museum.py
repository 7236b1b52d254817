"""Chapter 11 has an exhibit for every entry of the catalogue, and what it says is caught is caught.

An exhibit is a heading `### id`, which is its anchor, and, in the code that follows, a label: the
id on a line of its own and below it lines like `  test       name`, printed when the cell ran.
"""

import copy
import functools
import re
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pytest
from contents import CHAPTERS
from gates.chapter import Chapter, printed
from planted import MISTAKES, counting, distances, wiring  # noqa: F401  (all fill MISTAKES)

from kdlib.exercises import exercises, misconceptions

TESTS = Path(__file__).parents[1]
MUSEUM = Chapter(CHAPTERS / "11_the_bug_museum.py")
LABEL = re.compile(r"^([a-z][a-z0-9-]*)\n((?:  \S.*\n(?: {13}.*\n)*)+)", re.MULTILINE)
FACT = re.compile(r"^  (\S.{9}) ((?:.*\n(?: {13}.*\n)*))", re.MULTILINE)


class Exhibit(NamedTuple):
    """What the label says, and the last cells before it: its heading's, and that of its code."""

    id: str
    facts: dict[str, str]
    heading: int
    code: int


def headings(cells):
    """Each id that is a heading, with the numbers of its cells."""
    return [
        (id, place)
        for place, cell in enumerate(cells)
        if cell.cell_type == "markdown"
        for id in re.findall(r"^### ([a-z0-9-]+)$", cell.source, re.MULTILINE)
    ]


def exhibits(cells):
    """The labels that were printed."""
    place_of = dict(headings(cells))
    return [
        Exhibit(id, _facts(lines), place_of.get(id, -1), place)
        for place, cell in enumerate(cells)
        if cell.cell_type == "code"
        for id, lines in LABEL.findall("".join(printed(cell)))
    ]


def _facts(lines):
    return {name.strip(): " ".join(text.split()) for name, text in FACT.findall(lines)}


def faults(cells):
    """What is missing or doubled, one line each."""
    found = exhibits(cells)
    anchors = Counter(id for id, _ in headings(cells))
    labels = Counter(exhibit.id for exhibit in found)
    known = set(misconceptions())
    lines = [f"{id} has {anchors[id]} headings" for id in known if anchors[id] != 1]
    lines += [f"{id} has {labels[id]} labels" for id in known if labels[id] != 1]
    lines += [f"{id} is not in the catalogue" for id in {*anchors, *labels} - known]
    for exhibit in found:
        if not 0 < exhibit.code - exhibit.heading <= 4:
            lines.append(f"{exhibit.id}: its numbers do not follow its heading")
        if len(exhibit.facts.keys() - {"symptom", "test", "seen"}) < 2:
            lines.append(f"{exhibit.id}: there is nothing to compare")
        if not is_caught(exhibit.id, exhibit.facts.get("test", "")):
            lines.append(f"{exhibit.id}: {exhibit.facts.get('test')!r} does not catch it")
    return lines


def is_caught(id, test):
    """Whether there is such a test; an exercise and a planted mistake must also name this id."""
    if test.startswith("exercise "):
        return id in named_by_exercises().get(test.removeprefix("exercise "), ())
    if test.startswith("test_"):
        return test in names_of_tests()
    return (id, test) in {(planted.id, planted.probe.__name__) for planted in MISTAKES}


@functools.cache
def named_by_exercises():
    return {
        e.id: {w.misconception for w in [*e.wrongs, *(s.wrong for s in getattr(e, "symptoms", ()))]}
        for e in exercises().values()
    }


@functools.cache
def names_of_tests():
    sources = "".join(path.read_text("utf-8") for path in TESTS.rglob("test_*.py"))
    return set(re.findall(r"^def (test_\w+)\(", sources, re.MULTILINE))


@pytest.fixture(scope="module")
def cells():
    return MUSEUM.notebook.cells


def test_every_misconception_has_its_exhibit(cells):
    assert not faults(cells), "\n".join(faults(cells))


def test_a_planted_mistake_is_shown_with_its_property(cells):
    """Where the suite plants the mistake, the label names that property and nothing weaker."""
    shown = {exhibit.id: exhibit.facts["test"] for exhibit in exhibits(cells)}
    for planted in MISTAKES:
        assert is_caught(planted.id, shown[planted.id])
        assert shown[planted.id] in {p.probe.__name__ for p in MISTAKES if p.id == planted.id}


def test_a_thread_is_a_project_and_a_number(cells):
    seen = [exhibit.facts["seen"] for exhibit in exhibits(cells) if "seen" in exhibit.facts]
    threads = [each for each in seen if "#" in each]
    assert len(threads) >= 25
    for each in threads:
        assert re.fullmatch(r"[\w.-]+ #\d+(?:[,;] (?:[\w.-]+ )?#\d+)*", each), each
    assert not [each for each in seen if "/" in each], "names and numbers, no addresses"


def altered(cells, old, new):
    """A copy with a text replaced, in sources and in what they printed."""
    cells = copy.deepcopy(cells)
    for part in [*cells, *(o for cell in cells for o in cell.get("outputs", ()) if "text" in o)]:
        key = "text" if "output_type" in part else "source"
        part[key] = part[key].replace(old, new)
    return cells


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("### kl-reversed", "### kl-turned", "kl-reversed has 0 headings"),
        ("kl-reversed\n  students", "kl-lost\n  students", "kl-reversed has 0 labels"),
        ("exercise one-hot-of-top", "exercise soften", "does not catch it"),
        ("padding_changes_nothing", "padding_is_fine", "does not catch it"),
        ("test_frozen_teacher", "test_molten_teacher", "does not catch it"),
    ],
)
def test_a_hole_is_found(cells, old, new, fault):
    """A canary: each kind of fault, planted into a copy."""
    assert any(fault in line for line in faults(altered(cells, old, new)))
