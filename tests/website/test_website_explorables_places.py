"""Each explorable takes its cell's place, whole and once."""

import json
import re

import nbformat
import pytest
from website import explorables, explorables_data, paper


def cell(source, **metadata):
    return nbformat.v4.new_markdown_cell(source, metadata=metadata)


def test_a_cell_that_shows_a_figure_is_the_figure_and_scripts_come_once():
    cells = [
        nbformat.v4.new_code_cell('from kdlib.plots import explorable\n\nexplorable("moor_walk")'),
        cell("text"),
        nbformat.v4.new_code_cell('explorable("cost_calculator")'),
        nbformat.v4.new_code_cell('print(explorable("simplex"))'),
    ]
    first, text, second, other = explorables.placed(cells)
    assert 'id="explorable-moor-walk"' in first.source and text.source == "text"
    assert "dials.js" in first.source and "dials.js" not in second.source
    assert other.source == 'print(explorable("simplex"))'


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
