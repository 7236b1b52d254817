"""A reader runs a cell again: every cell of the first chapters that could mind runs twice in a row.

A cell that has turned a name into another kind of thing dies the second time, or makes a later one
die. What the second run shows is not compared: more training is allowed to give another loss.
"""

import ast
import copy

import build
import contents
import pytest

pytestmark = pytest.mark.slow

HELD = range(0, 5)
SOURCES = [source for source in contents.sources() if int(source.name[:2]) in HELD]


# Methods that change what they are called on.
CHANGING = frozenset(
    "add append backward clear discard extend insert load_state_dict manual_seed pop popitem remove"
    " requires_grad_ reverse setdefault sort step train eval update zero_grad".split()
)


def may_differ(source):
    """Whether a cell's second run may meet another state than its first: it binds a name anew that
    it has read before, or changes something in place. A cell that does neither runs twice as it
    runs once; many of these train for seconds."""
    tree = ast.parse(source)
    return any(map(_in_place, ast.walk(tree))) or bool(_read_then_bound(tree))


def _in_place(node):
    if isinstance(node, ast.Subscript | ast.Attribute):
        return isinstance(node.ctx, ast.Store)
    called = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    return isinstance(node, ast.AugAssign | ast.Delete) or (called and node.func.attr in CHANGING)


def _read_then_bound(tree):
    """Names that a cell reads before it has bound them, and that it binds."""
    from_before, bound = set(), set()
    for reads, binds in _steps(tree.body):
        from_before |= reads - bound
        bound |= binds
    return from_before & bound


def _steps(statements):
    """(what is read, what is bound) one after the other; the head of a loop before its body."""
    for statement in statements:
        if isinstance(statement, ast.For):
            yield _names(statement.iter)
            yield _names(statement.target)
            yield from _steps([*statement.body, *statement.orelse])
        else:
            yield _names(statement)


def _names(node):
    """What a statement reads and binds outside of the scopes within it."""
    reads, binds = set(), set()
    for child in ast.walk(node):
        if isinstance(child, ast.Name):
            (reads if isinstance(child.ctx, ast.Load) else binds).add(child.id)
        elif isinstance(child, ast.FunctionDef | ast.ClassDef):
            binds.add(child.name)
    for inner in ast.walk(node):
        local = set()
        if isinstance(inner, ast.comprehension):
            local = {name.id for name in ast.walk(inner.target) if isinstance(name, ast.Name)}
        elif isinstance(inner, ast.FunctionDef | ast.Lambda):
            local = {argument.arg for argument in ast.walk(inner) if isinstance(argument, ast.arg)}
            names = [name for name in ast.walk(inner) if isinstance(name, ast.Name)]
            local |= {name.id for name in names if isinstance(name.ctx, ast.Store)}
        reads, binds = reads - local, binds - local
    return reads, binds


def doubled(notebook):
    """Each code cell that may differ once more behind itself."""
    for place in range(len(notebook.cells) - 1, -1, -1):
        cell = notebook.cells[place]
        if cell.cell_type == "code" and may_differ(cell.source):
            again = copy.deepcopy(cell)
            again.id = f"{cell.id}-again"
            notebook.cells.insert(place + 1, again)
    return notebook


@pytest.mark.parametrize(
    ("source", "differs"),
    [
        ("x = 3\nprint(x)", False),
        ("for x in [1]:\n    print(x)", False),
        ("y = [x for x in range(3)]", False),
        ("def f(x):\n    y = x\n    return y", False),
        ("x = x + 1", True),
        ("for k, x in x.items():\n    pass", True),
        ("print(x)\nx = 2", True),
        ("x += 1", True),
        ("del x", True),
        ("x.pop()", True),
        ("x['a'] = 1", True),
        ("model.weight = 1", True),
    ],
)
def test_a_cell_that_may_differ_is_known(source, differs):
    assert may_differ(source) is differs


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.stem)
def test_every_cell_that_may_differ_runs_twice(source):
    """The cells that run again count in the number that a failure names."""
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
    with pytest.raises(build.BuildError, match=r"cell 3 of 3: AttributeError"):
        build.run(doubled(build.read_source(source)), source)
