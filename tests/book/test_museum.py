"""Chapter 13 and its cards hold the whole catalogue, and what they say is caught is caught.

A mistake has an exhibit or a card. An exhibit is a heading `### id`, which is its anchor, and, in the
code that follows, a label and a table: the id on a line of its own, below it lines such as
`  caught by  name`, and a row `broken` above a row `right`. A card is in kdlib/exercises/museum/*.toml.
"""

import ast
import copy
import dataclasses
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
from kdlib.exercises.museum.cards import cards as all_cards

TESTS = Path(__file__).parents[1]
MUSEUM = Chapter(CHAPTERS / "13_the_bug_museum.py")
LABEL = re.compile(r"^([a-z][a-z0-9-]*)\n((?:  \S.*\n(?: {13}.*\n)*)+)", re.MULTILINE)
FACT = re.compile(r"^  (\S.{9}) ((?:.*\n(?: {13}.*\n)*))", re.MULTILINE)
ROW = re.compile(r"^(broken|right)  +(.*)$", re.MULTILINE)
THREAD = r"[\w.-]+ #\d+, 20[12]\d"
PAPER = r"[A-Z]\w+(?: and [A-Z]\w+| et al\.) 20[12]\d"


class Exhibit(NamedTuple):
    """What the label says, what the two rows hold, and the cells of its heading and of its label."""

    id: str
    facts: dict[str, str]
    rows: dict[str, str]
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
    """The labels that were printed, each with the table of its cell."""
    place_of = dict(headings(cells))
    return [
        Exhibit(id, _facts(lines), dict(ROW.findall(text)), place_of.get(id, -1), place)
        for place, cell in enumerate(cells)
        if cell.cell_type == "code"
        for text in ["\n".join(printed(cell))]
        for id, lines in LABEL.findall(text)
    ]


def _facts(lines):
    return {name.strip(): " ".join(text.split()) for name, text in FACT.findall(lines)}


def faults(cells, cards=None):
    """What is missing or doubled, one line each."""
    cards = all_cards() if cards is None else cards
    found = exhibits(cells)
    anchors = Counter(id for id, _ in headings(cells))
    labels = Counter(exhibit.id for exhibit in found)
    known = set(misconceptions())
    lines = []
    for id in known:
        if anchors[id] + (id in cards) != 1:
            lines.append(f"{id} has {anchors[id]} headings and {int(id in cards)} cards")
        if labels[id] != anchors[id]:
            lines.append(f"{id} has {labels[id]} labels")
    lines += [f"{id} is not in the catalogue" for id in {*anchors, *labels, *cards} - known]
    for exhibit in found:
        if not 0 < exhibit.code - exhibit.heading <= 4:
            lines.append(f"{exhibit.id}: its numbers do not follow its heading")
        if len(exhibit.rows) < 2 or exhibit.rows["broken"] == exhibit.rows["right"]:
            lines.append(f"{exhibit.id}: there is nothing to compare")
    tests = [(e.id, e.facts.get("caught by", "")) for e in found]
    tests += [(card.id, card.test) for card in cards.values()]
    lines += [f"{id}: {test!r} does not catch it" for id, test in tests if not is_caught(id, test)]
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


def test_every_misconception_has_one_exhibit_or_one_card(cells):
    assert not faults(cells), "\n".join(faults(cells))


def test_the_exhibits_are_few_enough_to_walk_past(cells):
    assert 24 <= len(exhibits(cells)) <= 32


def test_a_planted_mistake_is_shown_with_its_property(cells):
    """Where the suite plants the mistake, the label names that property and nothing weaker."""
    shown = {exhibit.id: exhibit.facts["caught by"] for exhibit in exhibits(cells)}
    shown |= {card.id: card.test for card in all_cards().values()}
    for planted in MISTAKES:
        assert is_caught(planted.id, shown[planted.id])
        assert shown[planted.id] in {p.probe.__name__ for p in MISTAKES if p.id == planted.id}


def test_a_source_is_a_thread_with_its_year_or_a_paper(cells):
    seen = [exhibit.facts["seen in"] for exhibit in exhibits(cells) if "seen in" in exhibit.facts]
    seen += [card.seen for card in all_cards().values() if card.seen]
    assert sum(text.count("#") for text in seen) >= 40
    for text in seen:
        for each in text.replace("- ", "-").split("; "):  # a label may be broken at a hyphen
            assert re.fullmatch(f"{THREAD}|{PAPER}", each), each


def rows_of_exhibits(cells):
    """{id: the code of its rows}."""
    calls = [
        node
        for cell in cells
        if cell.cell_type == "code" and "exhibit(" in cell.source
        for node in ast.walk(ast.parse(cell.source))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "exhibit"
    ]
    return {call.args[0].value: call.args[1] for call in calls}


def typed_in(rows):
    """What stands in the rows as a result and was not computed."""
    return [
        value.value
        for each in ast.walk(rows)
        if isinstance(each, ast.Dict)
        for value in each.values
        if isinstance(value, ast.Constant)
    ]


def test_no_result_of_an_exhibit_is_typed_in(cells):
    rows = rows_of_exhibits(cells)
    assert set(rows) == {exhibit.id for exhibit in exhibits(cells)}
    assert {id: typed_in(code) for id, code in rows.items() if typed_in(code)} == {}


@pytest.mark.parametrize("id", all_cards())
def test_the_snippets_of_a_card_run_and_differ(id):
    card = all_cards()[id]
    assert card.printed.broken and card.printed.right
    assert card.printed.broken != card.printed.right
    for code in (card.broken, card.right):
        last = ast.parse(card.setup + "\n" + code.strip()).body[-1].value
        assert not isinstance(last, ast.Constant), "a result is computed, not typed in"
        assert all(len(line) <= 100 for line in code.splitlines())


def altered(cells, old, new):
    """A copy with a text replaced, in sources and in what they printed."""
    cells = copy.deepcopy(cells)
    for cell in cells:
        cell.source = cell.source.replace(old, new)
        for output in cell.get("outputs", ()):
            if "text" in output:
                output.text = output.text.replace(old, new)
            if "text/plain" in output.get("data", {}):
                output.data["text/plain"] = output.data["text/plain"].replace(old, new)
    return cells


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("### kl-reversed", "### kl-turned", "kl-reversed has 0 headings and 0 cards"),
        ("### kl-reversed", "### sign-flipped", "sign-flipped has 1 headings and 1 cards"),
        ("kl-reversed\n  symptom", "kl-lost\n  symptom", "kl-reversed has 0 labels"),
        ("exercise bug-next-word-loss", "exercise soften", "does not catch it"),
        ("padding_changes_nothing", "padding_is_fine", "does not catch it"),
        ("test_frozen_teacher", "test_molten_teacher", "does not catch it"),
        ("broken   0.3161   0.1580  0.50", "broken   1.2642   1.2642  1.00", "nothing to compare"),
    ],
)
def test_a_hole_is_found(cells, old, new, fault):
    """A canary: each kind of fault, planted into a copy."""
    assert any(fault in line for line in faults(altered(cells, old, new)))


def test_a_card_too_many_or_too_few_is_found(cells):
    cards = dict(all_cards())
    flipped = cards.pop("sign-flipped")
    assert faults(cells, cards) == ["sign-flipped has 0 headings and 0 cards"]
    doubled = dataclasses.replace(flipped, id="kl-reversed")
    found = faults(cells, {**all_cards(), "kl-reversed": doubled})
    assert "kl-reversed has 1 headings and 1 cards" in found


def test_a_typed_in_result_is_found():
    rows = ast.parse('{"broken": {"loss": 0.25}, "right": {"loss": f(x)}}').body[0].value
    assert typed_in(rows) == [0.25]
