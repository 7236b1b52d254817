"""Which cells only show, by their syntax tree; and how a page folds their code and nothing else."""

import symtable

import contents
import nbformat
import pytest
from website import folded
from website.chapter import Chapter
from website.explorables import SHOWN

CHAPTERS = {
    f"{source.stem}.html": Chapter(source, None)
    for source in contents.sources()
    if source.with_suffix(".ipynb").exists()
}
HEAD = "import torch\nfrom kdlib.plots import curves, table\nfrom kdlib import forward_kl\nx = torch.ones(3)"


def cells(*sources):
    made = [nbformat.v4.new_code_cell(source) for source in (HEAD, *sources)]
    for cell in made:
        cell.outputs = [nbformat.v4.new_output("stream", text="shown")]
    return made


def folds(source, *below):
    found = cells(source, *below)
    return any(cell is found[1] for cell in folded.showing(found))


@pytest.mark.parametrize(
    "source",
    [
        "print(x)",
        'print(f"{x.mean():.2f}")',
        "curves([1], {'x': x})",
        "curves([1], {'x': torch.log(x)})",
        "for i in range(3):\n    print(i, x[i])",
        "print(x)\nassert x.sum() == 3",
        "rows = {}\nfor name in 'ab':\n    rows[name] = {'n': len(name)}\ntable(rows)",
        "rows = [i for i in x]\ntable(rows)",
        "if len(x) > 2:\n    print('long')",
    ],
)
def test_what_only_shows_is_folded(source):
    assert folds(source)


@pytest.mark.parametrize(
    "source",
    [
        "",
        "x * 2",
        "y = x * 2",
        "print(forward_kl(x, x))",
        "print(torch.softmax(x, -1))",
        "table({'KL': {'x': forward_kl(x, x)}})",
        "def f():\n    print(x)\nf()",
        "import math\nprint(x)",
        "from kdlib.plots import points",
        "with torch.no_grad():\n    print(x)",
        "while True:\n    print(x)",
        "print(open('file').read())",
        "print((lambda: exec('y = 1'))())",
    ],
)
def test_what_computes_defines_or_imports_stays_open(source):
    assert not folds(source)


@pytest.mark.parametrize(
    ("below", "is_folded"),
    [
        ("y = 1", True),
        ("rows.append(1)", False),
        ("print(rows)", False),
        ("rows = []\nprint(rows)", True),  # bound anew before it is read
        ("print([rows for rows in x])", True),  # a name of the comprehension's own
        ("rows += [1]", False),
        ("rows = [*rows, 1]", False),
        ("def f():\n    return rows", False),
        ("def f(rows):\n    return rows", True),
        ("for rows in x:\n    print(rows)", True),
    ],
)
def test_what_a_cell_below_needs_is_not_folded_away(below, is_folded):
    assert folds("rows = [len(x)]\nprint(rows)", below) is is_folded


def test_a_cell_without_output_stays_open():
    found = cells("print(x)")
    found[1].outputs = []
    assert list(folded.showing(found)) == []


def test_what_answers_a_prediction_keeps_its_own_button():
    found = cells("print(x)")
    found[1].metadata["tags"] = ["hide-output"]
    folded.tag(found)
    folded.tag(found)
    assert found[1].metadata["tags"] == ["hide-output", "hide-input"]


def reads(table):
    """The global names that a piece of code or a function in it reads, as the compiler sees it."""
    own = {s.get_name() for s in table.get_symbols() if s.is_referenced() and s.is_global()}
    if table.get_type() == "module":
        own = {s.get_name() for s in table.get_symbols() if s.is_referenced()}
    return own.union(*map(reads, table.get_children()))


def test_no_folded_cell_of_the_book_alone_binds_what_is_read_elsewhere():
    """Another way to see it: without the folded cells every name is still bound that is read."""
    for chapter in CHAPTERS.values():
        code = [cell for cell in chapter.notebook().cells if cell.cell_type == "code"]
        gone = {id(cell) for cell in folded.showing(code)}
        tables = [(cell, symtable.symtable(cell.source, "cell", "exec")) for cell in code]
        bound = {True: set(), False: set()}
        for cell, table in tables:
            symbols = table.get_symbols()
            bound[id(cell) in gone] |= {s.get_name() for s in symbols if s.is_assigned()}
        for cell, table in tables:
            if id(cell) not in gone:
                lost = reads(table) & (bound[True] - bound[False])
                assert lost == set(), (chapter.title, cell.source)


def test_most_code_stays_open():
    code = [
        c
        for chapter in CHAPTERS.values()
        for c in chapter.notebook().cells
        if c.cell_type == "code"
    ]
    shows = sum(
        len(list(folded.showing(chapter.notebook().cells))) for chapter in CHAPTERS.values()
    )
    assert 40 < shows < len(code) / 5


@pytest.mark.slow
@pytest.mark.parametrize("path", CHAPTERS)
def test_the_page_has_a_button_for_each_and_shows_the_picture(look, path):
    page = look(path).page
    shown = folded.showing(CHAPTERS[path].notebook().cells)
    # The page has the figure itself in the place of a cell that shows one in a notebook.
    found = [cell for cell in shown if not SHOWN.search(cell.source)]
    buttons = page.locator("details.above-input > summary")
    assert buttons.count() == len(found)
    for place, cell in enumerate(found[:3]):
        holder = page.locator("div.cell:has(> details.above-input)").nth(place)
        code, button = (
            holder.locator(".cell_input pre"),
            holder.locator("details.above-input > summary"),
        )
        assert not code.is_visible() and button.inner_text().strip() == "Show the code"
        button.focus()
        page.keyboard.press("Enter")
        assert code.is_visible() and button.inner_text().strip() == "Hide the code"
        hidden = "hide-output" in cell.metadata.get("tags", [])
        assert holder.locator("details.below-input").count() == hidden
