"""The museum's own functions for its rivals: definitions of chapter 13, and no more of it is run."""

import ast
import functools

from contents import CHAPTERS

SOURCE = CHAPTERS / "13_the_bug_museum.py"


@functools.cache
def museum(*assigned: str) -> dict:
    """Imports and functions of the chapter, and the assignments to these names, in their order."""
    kept = [
        node
        for node in ast.parse(SOURCE.read_text("utf-8")).body
        if isinstance(node, ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef)
        or (isinstance(node, ast.Assign) and _targets(node) & {*assigned})
    ]
    names: dict = {}
    exec(compile(ast.Module(kept, []), SOURCE.name, "exec"), names)
    return names


def _targets(node: ast.Assign) -> set[str]:
    return {n.id for target in node.targets for n in ast.walk(target) if isinstance(n, ast.Name)}
