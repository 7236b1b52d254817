"""No table and no picture is made and lost: a notebook shows what a cell's last line gives, only that."""

import ast
from collections.abc import Iterator

from gates.chapter import Chapter, is_exercise


def faults(chapter: Chapter) -> list[str]:
    cells = [ast.parse(cell.source) for cell in chapter.code if not is_exercise(cell)]
    makers: set[str] = set()
    for tree in cells:
        makers |= imported(tree)
        makers |= {
            f.name for f in ast.walk(tree) if isinstance(f, ast.FunctionDef) and gives(f, makers)
        }
    return [
        f"{ast.unparse(call)[:60]} is made and not shown: it must be a cell's last line"
        for tree in cells
        for call in lost(tree)
        if name_of(call) in makers
    ]


def imported(tree: ast.Module) -> set[str]:
    """What a cell takes from the room of pictures and tables."""
    return {
        alias.asname or alias.name
        for each in ast.walk(tree)
        if isinstance(each, ast.ImportFrom) and (each.module or "").startswith("kdlib.plots")
        for alias in each.names
    }


def gives(function: ast.FunctionDef, makers: set[str]) -> bool:
    """Whether a function of the chapter returns what one of these makes."""
    returned = (each.value for each in ast.walk(function) if isinstance(each, ast.Return))
    return any(isinstance(value, ast.Call) and name_of(value) in makers for value in returned)


def lost(tree: ast.Module) -> Iterator[ast.Call]:
    """Calls whose value nobody takes: statements by themselves, but for the cell's last."""
    shown = tree.body[-1] if tree.body else None
    for each in ast.walk(tree):
        if isinstance(each, ast.Expr) and isinstance(each.value, ast.Call) and each is not shown:
            yield each.value


def name_of(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else ""
