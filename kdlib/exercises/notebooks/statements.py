"""The statements of a notebook's cells: what each binds, reads, and may do besides.

A statement at the top of a cell is looked at by its names (`symtable` knows Python's scopes). What
names do not tell is a doubt: code that is made of text, magics, hidden inputs.
"""

from __future__ import annotations

import ast
import functools
import re
import symtable
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from kdlib.exercises.notebooks.submissions import Cell

HARMLESS_MAGICS = frozenset(
    "matplotlib config load_ext autoreload pip conda precision pinfo".split()
)
WRAPPERS = ("time", "capture")  # cell magics whose body runs as if they were not there
MADE_OF_TEXT = frozenset("exec eval compile __import__ locals vars".split())
RUNS_TEXT = frozenset("import_module run_path run_module run_cell ex push user_ns".split())
FROM_OUTSIDE = frozenset("open load read_text read_bytes glob iterdir".split())
HISTORY = re.compile(r"_+|_i*\d+|_i+|In|Out")  # what IPython keeps of earlier cells
BY_CHANCE = ("rand", "normal", "multinomial", "shuffle", "bernoulli", "sample", "choice")
SEEDED = ("generator", "seed", "rng")
CHANGES = ("set_", "seed", "manual_seed", "chdir", "append", "insert", "extend", "update")
PLAIN_CALLS = ("len", "int", "float", "str", "bool", "round", "abs")


@dataclass(eq=False)
class Statement:
    """A statement at the top of a cell.

    binds: names that it gives a value. fixed: those of them whose value cannot be changed in place:
    imports, functions, classes, numbers, texts. rebinds: names whose earlier values are gone.
    reads: names from outside that it needs, also inside functions. changes: names of which it
    changes a part. star: it imports all names. inert: nothing runs but the binding. sure: it cannot
    fail. checks: it hands an answer to a check.
    doubt: why names alone do not tell what it does. outside, chance: why they do not, if needed.
    """

    cell: int
    source: str
    binds: set[str] = field(default_factory=set)
    fixed: set[str] = field(default_factory=set)
    reads: set[str] = field(default_factory=set)
    changes: set[str] = field(default_factory=set)
    rebinds: set[str] = field(default_factory=set)
    star: bool = False
    inert: bool = False
    sure: bool = False
    checks: bool = False
    doubt: str = ""
    outside: str = ""
    chance: str = ""


def statements(cell: Cell) -> list[Statement]:
    """The statements of a cell; none of a cell that is no Python: it does nothing when it runs."""
    if syntax_error(cell.source):
        return []
    python = as_python(cell.source)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a regular expression that is no raw text, and the like
        return [_statement(cell.number, node, python) for node in ast.parse(python).body]


@functools.lru_cache(maxsize=4096)
def as_python(source: str) -> str:
    """A cell with its magics as the calls that IPython makes of them."""
    from IPython.core.inputtransformer2 import TransformerManager

    manager: Any = TransformerManager  # without types
    try:
        return str(manager().transform_cell(source))
    except SyntaxError:
        return source


def syntax_error(source: str) -> str:
    """What keeps a cell from being Python, or ""."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            compile(as_python(source), "<cell>", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            return f"{type(error).__name__}: {getattr(error, 'msg', None) or error}"
    return ""


def _statement(cell: int, node: ast.stmt, python: str) -> Statement:
    each = Statement(cell, _source(node, python))
    _add_names(each, symtable.symtable(each.source, "<cell>", "exec"))
    if _is_plain(node):
        each.fixed |= each.binds
    is_import = isinstance(node, (ast.Import, ast.ImportFrom))
    each.star = isinstance(node, ast.ImportFrom) and node.names[0].name == "*"
    each.inert = is_import or (isinstance(node, ast.FunctionDef) and _only_defines(node))
    each.rebinds = each.binds if is_import else _rebound(node)
    each.sure = is_import is False and (each.inert or _is_constant(node))
    for part in ast.walk(node):
        _look_at(part, each)
    each.changes &= each.binds | each.reads  # and not the names that functions have of their own
    if "globals" in each.reads:
        kind = "outside" if _only_reads_globals(node) else "doubt"
        setattr(each, kind, "globals()")
    if is_import or isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        each.chance = ""  # drawn when it is called, and then a check has seeded it
    _add_wrapped_body(each, node)
    return each


def _source(node: ast.stmt, python: str) -> str:
    decorators = [d.lineno for d in getattr(node, "decorator_list", [])]
    if not decorators:
        return ast.get_source_segment(python, node) or ""
    return "".join(python.splitlines(keepends=True)[min(decorators) - 1 : node.end_lineno])


def _add_wrapped_body(each: Statement, node: ast.stmt) -> None:
    """Below `%%time`, what the cell's body does is done by the one statement that the cell is."""
    name, body = _cell_magic(node)
    if name not in WRAPPERS:
        return
    for inner in statements(Cell(each.cell, body)):
        for names in ("binds", "fixed", "reads", "changes", "rebinds"):
            getattr(each, names).update(getattr(inner, names))
        for word in ("star", "checks", "doubt", "outside", "chance"):
            setattr(each, word, getattr(each, word) or getattr(inner, word))


def _add_names(each: Statement, table: symtable.SymbolTable) -> None:
    for symbol in table.get_symbols():
        if symbol.is_assigned() or symbol.is_imported():
            each.binds.add(symbol.get_name())
        if symbol.is_imported() or symbol.is_namespace():
            each.fixed.add(symbol.get_name())
        if symbol.is_referenced():
            each.reads.add(symbol.get_name())
    for inner in _inside(table):
        for symbol in inner.get_symbols():
            if not symbol.is_global():
                continue
            if symbol.is_assigned():  # by a function that declares it global
                each.binds.add(symbol.get_name())
            each.reads.add(symbol.get_name())


def _inside(table: symtable.SymbolTable) -> Iterator[symtable.SymbolTable]:
    for child in table.get_children():
        yield child
        yield from _inside(child)


def _is_plain(node: ast.stmt) -> bool:
    """`name = 0.5`, `name = len(...)`: a value that has no parts to be changed."""
    if not isinstance(node, ast.Assign) or not isinstance(node.targets[0], ast.Name):
        return False
    value = node.value.operand if isinstance(node.value, ast.UnaryOp) else node.value
    called = isinstance(value, ast.Call) and _name(value.func) in PLAIN_CALLS
    return isinstance(value, (ast.Constant, ast.JoinedStr)) or called


def _only_defines(node: ast.FunctionDef) -> bool:
    """Whether the head of a function runs nothing: no decorator, no computed default."""
    defaults = [*node.args.defaults, *filter(None, node.args.kw_defaults)]
    return not node.decorator_list and all(isinstance(d, ast.Constant) for d in defaults)


def _rebound(node: ast.stmt) -> set[str]:
    """The names that a statement surely gives a new value."""
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return {node.name}
    targets = node.targets if isinstance(node, ast.Assign) else []
    inside = [n for t in targets for n in (t.elts if isinstance(t, ast.Tuple) else [t])]
    return {n.id for n in inside if isinstance(n, ast.Name)}


def _is_constant(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Constant)
    )


def _look_at(part: ast.AST, each: Statement) -> None:
    """Add to a statement what one node of it tells."""
    name = _name(part)
    if isinstance(part, ast.Name):
        if name in MADE_OF_TEXT:
            each.doubt = name
        if isinstance(part.ctx, ast.Load) and HISTORY.fullmatch(name):
            each.outside = name
    elif isinstance(part, (ast.Attribute, ast.Subscript)):
        if name in RUNS_TEXT:
            each.doubt = name
        if isinstance(part.ctx, (ast.Store, ast.Del)):
            each.changes.add(_root(part))
    elif isinstance(part, ast.Call):
        _look_at_call(part, each)
    if name in FROM_OUTSIDE:
        each.outside = name
    if isinstance(part, ast.Attribute) and name == "check":
        each.checks = True
    if isinstance(part, ast.Constant) and part.value == "check":  # getattr(..., "check")
        each.checks = True


def _look_at_call(call: ast.Call, each: Statement) -> None:
    name = _name(call.func)
    if name.startswith(CHANGES) and isinstance(call.func, ast.Attribute):
        each.changes.add(_root(call.func))
    if name in ("setattr", "delattr") and call.args:
        each.changes.add(_root(call.args[0]))
    if name.startswith(BY_CHANCE) and not any(k.arg in SEEDED for k in call.keywords):
        each.chance = name
    if name in ("run_line_magic", "run_cell_magic") and isinstance(call.args[0], ast.Constant):
        magic = call.args[0].value
        if magic not in (HARMLESS_MAGICS if "line" in name else WRAPPERS):
            each.doubt = f"%{magic!s}"


def _root(node: ast.AST) -> str:
    """The name at the beginning of `name.part[0].part`, or ""."""
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _only_reads_globals(node: ast.stmt) -> bool:
    """Whether every `globals()` of a statement is `globals()[name]`, read."""
    calls = [n for n in ast.walk(node) if _name(n) == "globals"]
    looks = [
        n
        for n in ast.walk(node)
        if isinstance(n, ast.Subscript)
        and isinstance(n.ctx, ast.Load)
        and isinstance(n.value, ast.Call)
        and _name(n.value.func) == "globals"
    ]
    return len(calls) == len(looks)


def _name(node: ast.AST) -> str:
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else ""


def _cell_magic(node: ast.stmt) -> tuple[str, str]:
    """The name and the body of `%%name`, or ("", "")."""
    call = node.value if isinstance(node, ast.Expr) else None
    if isinstance(call, ast.Call) and _name(call.func) == "run_cell_magic":
        name, _, body = (a.value if isinstance(a, ast.Constant) else "" for a in call.args)
        return str(name), str(body)
    return "", ""
