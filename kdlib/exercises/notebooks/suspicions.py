"""What in a notebook's source a grader may want to look at. It is shown, and judges nothing.

Names are looked for in the code that the chapter does not have itself, not in comments. Whoever
knows that they are looked for can avoid them: a flag is a reason to look, its absence no proof.
"""

from __future__ import annotations

import ast
import functools
import re

from kdlib.exercises.notebooks.statements import as_python
from kdlib.exercises.notebooks.submissions import Cell, book_cells

ANSWERS = "asks the book for an answer"
CHECKER = "reaches into the checker"
FRAMES = "looks into running code"
HIDDEN = "runs code that is made of text"

PARTS = {  # attributes, and names in text: `.letter`, getattr(e, "letter")
    ANSWERS: "right_answers reference solution letter letters value blanks alternatives"
    " answer_solved",
    CHECKER: "judge _judged recorded known probes handed_in read_back rtol atol within SECONDS",
    FRAMES: "_getframe f_back f_locals f_globals get_objects get_referrers getsource __globals__"
    " __closure__ __code__ __subclasses__",
}
NAMES = {  # names that stand alone
    CHECKER: "VERDICT_FILE CodeExercise ChoiceExercise NumberExercise OrderingExercise"
    " DerivationExercise WrittenExercise",
    FRAMES: "gc inspect",
    HIDDEN: "exec eval compile __import__ b64decode",
}
TEXTS = {CHECKER: re.compile(r"KDLIB_\w+|verdicts\.jsonl")}
GIVERS = {"solve", "start"}  # of kdlib.exercises: they write solved notebooks
CELL_MAGIC = re.compile(r"^\s*%%.*\n")
MODULES = re.compile(r"kdlib\.exercises\.(chapter_\d+|kinds|judging|notebooks|registry)")


def suspicions(cells: tuple[Cell, ...]) -> list[str]:
    """One line for each kind of name, with the names and the cells."""
    found: dict[tuple[str, str], list[int]] = {}
    for cell in cells:
        if cell.source.strip() in book_cells():
            continue
        for about in sorted(_suspicions(cell)):
            found.setdefault(about, []).append(cell.number)
    return [
        f"cell {', '.join(map(str, numbers))} {kind}: {name}"
        for (kind, name), numbers in sorted(found.items(), key=lambda item: item[1])
    ]


def _suspicions(cell: Cell) -> set[tuple[str, str]]:
    try:
        tree = ast.parse(as_python(CELL_MAGIC.sub("", cell.source)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set()
    imported = {
        (alias.asname or alias.name).partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for alias in node.names
    }
    found = set()
    for node in ast.walk(tree):
        found |= _in_names(node)
        found |= _in_texts(node)
        found |= _in_imports(node)
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, (ast.Store, ast.Del)):
            found |= _replaced(node, imported)
        if isinstance(node, ast.keyword) and node.arg == "solved":
            found.add((ANSWERS, "solved="))
    return found


def _in_names(node: ast.AST) -> set[tuple[str, str]]:
    if isinstance(node, ast.Attribute):
        return {(kind, f".{node.attr}") for kind in PARTS if node.attr in PARTS[kind].split()}
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
        return {(kind, node.id) for kind in NAMES if node.id in NAMES[kind].split()}
    return set()


def _in_texts(node: ast.AST) -> set[tuple[str, str]]:
    if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
        return set()
    found = {(kind, match[0]) for kind, text in TEXTS.items() if (match := text.search(node.value))}
    if match := MODULES.search(node.value):
        found.add((CHECKER, match[0]))
    long = {(kind, node.value) for kind in PARTS if node.value in _telling(kind)}
    return found | long


@functools.cache
def _telling(kind: str) -> frozenset[str]:
    """Those names that are no everyday words, which may well stand in a text of their own."""
    return frozenset(name for name in PARTS[kind].split() if "_" in name)


def _in_imports(node: ast.AST) -> set[tuple[str, str]]:
    if isinstance(node, ast.ImportFrom):
        names = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
        wanted = {alias.name for alias in node.names} & set(NAMES[CHECKER].split())
        found = {(CHECKER, name) for name in wanted}
        if names[0].startswith("kdlib"):
            found |= {(ANSWERS, alias.name) for alias in node.names if alias.name in GIVERS}
    elif isinstance(node, ast.Import):
        names, found = [alias.name for alias in node.names], set()
    else:
        return set()
    return found | {(CHECKER, match[0]) for name in names if (match := MODULES.match(name))}


def _replaced(node: ast.Attribute, imported: set[str]) -> set[tuple[str, str]]:
    """`np.allclose = ...`: a library's part is replaced."""
    place: ast.AST = node
    while isinstance(place, ast.Attribute):
        place = place.value
    if isinstance(place, ast.Name) and place.id in imported | {"torch", "np", "numpy", "F", "math"}:
        return {(CHECKER, f"{ast.unparse(node)} = ...")}
    return set()
