"""The page of the challenge says what the entries say, and shows the recipes as they lie in the room."""

import re

from website import assemble, challenge, landing, llms
from website.links import links_of

from kdlib.challenge.definition import CHALLENGE
from kdlib.challenge.entry import FOLDER, read_entries
from kdlib.challenge.table import rules

ROW = re.compile(r"^\| \[([\w-]+)\]\(#(entry-[\w-]+)\) \| ([\d.]+) \|", re.MULTILINE)


def test_the_table_has_every_entry_best_first():
    found = ROW.findall(challenge.page())
    entries = read_entries(CHALLENGE)
    assert [name for name, *_ in found] == [entry.name for entry in entries]
    assert [float(loss) for *_, loss in found] == [round(e.validation, 3) for e in entries]


def test_every_row_leads_to_its_recipe():
    page = challenge.page()
    for name, target, _ in ROW.findall(page):
        part = page.partition(f"({target})=")[2]
        recipe = (FOLDER / f"{name}.toml").read_text("utf-8").strip()
        assert recipe in part.partition("</details>")[0], name


def test_the_rules_stand_on_the_page():
    page = challenge.page()
    assert all(rule in page for rule in rules(CHALLENGE))


def test_a_test_number_is_there_only_if_the_entry_was_accepted():
    rows = [line for line in challenge.page().splitlines() if line.startswith("| [")]
    for line, entry in zip(rows, read_entries(CHALLENGE), strict=True):
        assert line.endswith("| – |") == (entry.test is None)


def test_the_page_is_made_and_linked():
    found = assemble.chapters_of(assemble.CHAPTERS)
    made = assemble.pages(found, links_of(chapter.source for chapter in found))
    assert made[f"{challenge.NAME}.md"] == challenge.page()
    assert f"\n{challenge.NAME}\n" in landing.TEXT.read_text("utf-8")  # in the tree of pages
    assert f"({challenge.NAME}.html)" in llms.LOOK_UP
