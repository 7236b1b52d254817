"""Each explorable closes its section, whole and once."""

import json
import re

import contents
import nbformat
import pytest
from website import explorables, explorables_data, paper


def cell(source, **metadata):
    return nbformat.v4.new_markdown_cell(source, metadata=metadata)


@pytest.mark.parametrize(
    ("cells", "order"),
    [
        (["## 4.1 A\ntext", "more\n\n## 4.2 B"], ["## 4.1 A\ntext", "more", None, "## 4.2 B"]),
        (["## 4.1 A", "## 4.2 B"], ["## 4.1 A", None, "## 4.2 B"]),
        (["## 4.1 A\na\n\n## 4.2 B"], ["## 4.1 A\na", None, "## 4.2 B"]),
    ],
)
def test_a_figure_closes_its_section(cells, order):
    figure = cell("figure")
    found = explorables._with_end_of([cell(text) for text in cells], "4.1", figure)
    assert [None if c is figure else c.source for c in found] == order


def test_exercises_stay_at_the_end_of_a_section():
    figure, card = cell("figure"), cell("card", website=True)
    answer = nbformat.v4.new_code_cell("answer", metadata={"tags": ["answer-cell"]})
    cells = [cell("## 4.1 A"), card, answer, card, cell("## 4.2 B")]
    found = explorables._with_end_of(cells, "4.1", figure)
    assert [c.source for c in found][:3] == ["## 4.1 A", "figure", "card"]


def test_a_cell_that_shows_a_figure_is_the_figure_and_scripts_come_once():
    cells = [
        nbformat.v4.new_code_cell('from kdlib.plots import explorable\n\nexplorable("moor_walk")'),
        cell("text"),
        nbformat.v4.new_code_cell('explorable("cost_calculator")'),
        nbformat.v4.new_code_cell('print(explorable("simplex"))'),
    ]
    first, text, second, other = explorables.placed(cells, chapter=9)
    assert 'id="explorable-moor-walk"' in first.source and text.source == "text"
    assert "dials.js" in first.source and "dials.js" not in second.source
    assert other.source == 'print(explorable("simplex"))'


def test_a_section_that_is_gone_is_told():
    with pytest.raises(LookupError, match=r"4\.7"):
        explorables._with_end_of([cell("## 4.1 A"), cell("## 4.2 B")], "4.7", cell("figure"))


def test_every_place_is_a_section_of_its_chapter():
    texts = {int(s.name[:2]): s.read_text("utf-8") for s in contents.sources()}
    for place in explorables.PLACES:
        assert re.search(rf"^# ## {re.escape(place.section)} ", texts[place.chapter], re.M)


def test_a_page_asks_for_each_script_once():
    names = ["drag_the_student", "simplex", "one_peak"]
    scripts = re.findall(r'src="([^"]+)"', "".join(explorables.markup(names)))
    assert len(scripts) == len(set(scripts)) == 6


@pytest.mark.parametrize("name", explorables_data.EXPLORABLES)
def test_a_figure_has_a_name_an_invitation_a_still_and_its_settings(name):
    about = explorables_data.EXPLORABLES[name]
    (made,) = explorables.markup([name])
    assert "\n\n" not in made  # Markdown would take what comes after an empty line as text
    figure = paper._tag(made)
    title = figure.select_one(f"#{figure['aria-labelledby']}")
    assert title.get_text() == about.title and "?" in figure.select_one(".try").get_text()
    assert len(figure.select_one(".fallback svg")["aria-label"]) > 80
    assert json.loads(figure.script.string) == json.loads(json.dumps(about.settings))
    assert len(made.encode()) < 60_000
