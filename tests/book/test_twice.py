"""A reader runs a cell again: every cell of the first chapters runs twice in a row.

A cell that has turned a name into another kind of thing dies the second time, or makes a later one
die. What the second run shows is not compared: more training is allowed to give another loss.
"""

import copy

import build
import contents
import pytest

pytestmark = pytest.mark.slow

HELD = range(0, 5)
SOURCES = [source for source in contents.sources() if int(source.name[:2]) in HELD]


def doubled(notebook):
    """Each code cell once more behind itself."""
    for place in range(len(notebook.cells) - 1, -1, -1):
        cell = notebook.cells[place]
        if cell.cell_type == "code":
            again = copy.deepcopy(cell)
            again.id = f"{cell.id}-again"
            notebook.cells.insert(place + 1, again)
    return notebook


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.stem)
def test_every_cell_runs_twice(source):
    """Cells are counted double in what a failure names: the tenth is the fifth, run again."""
    build.run(doubled(build.read_source(source)), source)


REBINDING = """# %% [markdown]
# # A chapter

# %%
loss = {"a": 1.0}

# %%
for name, loss in loss.items():
    print(name, loss)
"""


def test_a_cell_that_rebinds_a_name_is_found(tmp_path):
    source = tmp_path / "02_rebinds.py"
    source.write_text(REBINDING, "utf-8")
    build.run(build.read_source(source), source)
    with pytest.raises(build.BuildError, match=r"cell 4 of 4: AttributeError"):
        build.run(doubled(build.read_source(source)), source)
