"""Which cells only show: they print, draw, tabulate or assert what cells above them have computed.

On a page their code is closed behind "Show the code", and what they show stays. Nothing marks them in
a chapter: it follows from their syntax tree and from what the cells below still need.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from nbformat import NotebookNode

HIDDEN = "hide-input"
PLOTS = "kdlib.plots"
TEXTS = {"print", "table", "words"}  # words: a picture's description
ALLOWED = (
    *(ast.Assert, ast.Expr, ast.Assign, ast.AnnAssign, ast.AugAssign, ast.For, ast.If, ast.Pass),
)
# They read files, run code or ask; whoever calls them does more than to show.
DOES_MORE = {"open", "exec", "eval", "input", "compile", "__import__"}
HARMLESS = set(dir(builtins)) - DOES_MORE


@dataclass
class Cell:
    """What a cell reads of other cells, what it binds, and what it imports."""

    tree: ast.Module
    reads: set[str] = field(default_factory=set)
    binds: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        for statement in self.tree.body:
            self._visit(statement, frozenset())

    def _visit(self, node: ast.AST, local: frozenset[str]) -> None:
        """In the order of evaluation: a value comes before the names that it is given."""
        match node:
            case ast.Name(id=name, ctx=ast.Load()):
                self.reads |= {name} - self.binds - local
            case ast.Name(id=name):
                self.binds |= {name} - local
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                self.binds |= {(each.asname or each.name).partition(".")[0] for each in names}
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                self._inside(node, local)
                self.binds.add(name)
            case (
                ast.Lambda() | ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp()
            ):
                self._inside(node, local)
            case _:
                for child in _in_order(node):
                    self._visit(child, local)

    def _inside(self, node: ast.AST, local: frozenset[str]) -> None:
        """What is bound within a function or a comprehension is its own."""
        own = {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and not _is_load(n)}
        own |= {n.arg for n in ast.walk(node) if isinstance(n, ast.arg)}
        for child in ast.iter_child_nodes(node):
            self._visit(child, local | own)


def _is_load(name: ast.Name) -> bool:
    return isinstance(name.ctx, ast.Load)


def _in_order(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.Assign(targets=targets, value=value):
            yield from (value, *targets)
        case ast.AugAssign(target=ast.Name(id=name) as target, value=value):
            yield from (ast.Name(id=name, ctx=ast.Load()), value, target)
        case ast.For(target=target, iter=items, body=body, orelse=rest):
            yield from (items, target, *body, *rest)
        case _:
            yield from ast.iter_child_nodes(node)


def tag(cells: Sequence[NotebookNode]) -> None:
    """Mark the cells whose code is folded."""
    for cell in showing(cells):
        tags = cell.metadata.get("tags", [])
        cell.metadata["tags"] = tags if HIDDEN in tags else [*tags, HIDDEN]


def showing(cells: Sequence[NotebookNode]) -> Iterator[NotebookNode]:
    """The cells that only show, and do show something."""
    code = [cell for cell in cells if cell.cell_type == "code"]
    read = [Cell(ast.parse(cell.source)) for cell in code]
    plots, modules = _plots(read), _modules(read)
    for place, (cell, about) in enumerate(zip(code, read)):
        needed = _needed(about.binds, read[place + 1 :])
        if cell.outputs and not needed and only_shows(about.tree, plots, modules):
            yield cell


def only_shows(tree: ast.Module, plots: set[str], modules: set[str]) -> bool:
    """Whether it draws, or prints, tabulates and asserts what is there.

    Around a picture anything may be called: the picture is what is to be read. Where numbers are
    printed, a call of the book's, the package's or a library's function is how they came about, and
    is to be read; built-ins and methods are not.

    plots: the names of functions that draw or tabulate. modules: names of what else is imported.
    """
    statements = [node for node in ast.walk(tree) if isinstance(node, ast.stmt)]
    if not statements or not all(isinstance(s, ALLOWED) for s in statements):
        return False
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    shown = {_called(call) for call in calls} & (plots | {"print"})
    if shown - TEXTS:
        return True
    asserts = any(isinstance(s, ast.Assert) for s in statements)
    return bool(shown or asserts) and not any(_computes(call, plots, modules) for call in calls)


def _computes(call: ast.Call, plots: set[str], modules: set[str]) -> bool:
    name = _called(call)
    if isinstance(call.func, ast.Name):
        return name not in plots | HARMLESS
    return name in modules


def _called(call: ast.Call) -> str:
    """The name at the root of what is called: `a` of `a.b.c(...)`; "" where there is none."""
    function: ast.expr = call.func
    while isinstance(function, ast.Attribute):
        function = function.value
    return function.id if isinstance(function, ast.Name) else ""


def _needed(names: set[str], below: Sequence[Cell]) -> set[str]:
    """Those of the names that a cell below reads before any binds them anew."""
    left, needed = set(names), set()
    for cell in below:
        needed |= left & cell.reads
        left -= cell.binds
    return needed


def _plots(cells: Sequence[Cell]) -> set[str]:
    return {
        each.asname or each.name
        for cell in cells
        for node in ast.walk(cell.tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PLOTS)
        for each in node.names
    }


def _modules(cells: Sequence[Cell]) -> set[str]:
    """Names under which something is imported that is no drawing: torch, F, math."""
    nodes = (node for cell in cells for node in ast.walk(cell.tree))
    found = [node for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)]
    drawing = _plots(cells)
    names = {(e.asname or e.name).partition(".")[0] for node in found for e in node.names}
    return names - drawing
