"""Which part of a notebook its answers need: to judge them takes seconds, to run it all minutes.

Run are the cells that check an answer, the cells that these need, and those that they need in turn;
of a cell that is the book's own, only the statements that are needed. In doubt all of it runs.
"""

from __future__ import annotations

import builtins
from collections.abc import Iterable, Set
from dataclasses import dataclass

from kdlib.exercises.notebooks.statements import Statement, statements
from kdlib.exercises.notebooks.submissions import Cell, book_cells


@dataclass(frozen=True)
class Plan:
    """The cells to run, in their order. whole: why these are all of the notebook's, or ""."""

    cells: tuple[Cell, ...]
    whole: str = ""


def needed(cells: tuple[Cell, ...], book: Set[str] | None = None) -> Plan:
    """The part of a notebook that its answers need; no cells where it checks none.

    book: cells that run without an error, of which parts may be left out; by default the book's.
    """
    notebook = _Notebook(cells, book_cells() if book is None else book)
    if not notebook.checking:
        return Plan(())
    selected = notebook.selected()
    if reason := notebook.doubt(selected):
        return Plan(cells, reason)
    parts = []
    for cell in cells:
        if (
            cell.number in notebook.checking
            or cell.number not in notebook.book
            and selected & set(notebook.by_cell[cell.number])
        ):
            parts.append(cell)
        elif kept := [s.source for s in notebook.by_cell[cell.number] if s in selected]:
            parts.append(Cell(cell.number, "\n".join(kept)))
    return Plan(tuple(parts))


class _Notebook:
    def __init__(self, cells: tuple[Cell, ...], book: Set[str]) -> None:
        self.book = {cell.number for cell in cells if cell.source.strip() in book}
        self.by_cell = {cell.number: statements(cell) for cell in cells}
        self.all = [each for found in self.by_cell.values() for each in found]
        bound = {name for s in self.all for name in s.binds - s.fixed}
        self.fixed = {name for s in self.all for name in s.fixed} - bound
        self.place = {each: i for i, each in enumerate(self.all)}
        self.builtin = set(dir(builtins)) - self.fixed - bound
        self.touched = {each: self._touched(each) for each in self.all}
        self.checks = self._checks()
        marked = {cell.number for cell in cells if cell.marked}
        self.checking = marked | {each.cell for each in self.checks}

    def _checks(self) -> list[Statement]:
        """Statements that check, also by a name of the notebook's own: `submit(soften)`."""
        names: set[str] = set()
        while True:
            found = [s for s in self.all if s.checks or s.reads & names]
            own = {name for s in found for name in s.binds if s.checks or s.reads & names}
            if own <= names:
                return found
            names |= own

    def selected(self) -> set[Statement]:
        whole = [s for s in self.all if s.cell in self.checking]
        last = max(self.checking)
        earlier = [s for s in self.all if s.cell < last and not s.inert]
        effects = [s for s in earlier if self._changes(s) & self.fixed]
        stars = [s for s in self.all if s.star]
        return self._closure([*whole, *effects, *stars])

    def _changes(self, each: Statement) -> set[str]:
        """The names of which a statement changes a part, itself or in the functions it calls."""
        called = (s.changes for s in self.all if s.inert and s.binds & self.touched[each])
        return each.changes.union(*called)

    def doubt(self, selected: set[Statement]) -> str:
        """Why names do not tell what the answers need, or ""."""
        told = [(s, s.doubt) for s in self.all] + [(s, s.outside) for s in selected]
        told += [(s, s.chance) for s in self._closure(self.checks)]
        reasons = sorted((s.cell, word) for s, word in told if word)
        return f"cell {reasons[0][0]} uses {reasons[0][1]}" if reasons else ""

    def _closure(self, roots: Iterable[Statement]) -> set[Statement]:
        """With all statements that stand before a root and that it needs, directly or not."""
        kept = set(roots)
        todo = [(name, self.place[root]) for root in kept for name in root.reads]
        seen = set(todo)
        while todo:
            name, place = todo.pop()
            for giver in self._givers(name, place):
                for each in self._runs_with(giver):
                    kept.add(each)
                    # What a function reads, it reads where it is called.
                    at = place if each.inert else self.place[each]
                    fresh = {(read, at) for read in each.reads} - seen
                    seen |= fresh
                    todo += fresh
        return kept

    def _runs_with(self, each: Statement) -> list[Statement]:
        """A cell that is not the book's runs whole: what fails in it ends it."""
        return [each] if each.cell in self.book else [each, *self.by_cell[each.cell]]

    def _givers(self, name: str, place: int) -> list[Statement]:
        """The statements that make a name's value what it is at a place: they bind or change it."""
        if name in self.builtin:
            return []
        found = []
        others = set() if name in self.fixed else self._tied(name, place)
        for each in reversed(self.all[:place]):
            may_change = not each.inert and self.touched[each] & others
            if name in each.binds or may_change:
                found.append(each)
            if name in each.rebinds and self._has_run(each, place):
                break
        return found

    def _has_run(self, each: Statement, place: int) -> bool:
        """Whether a statement cannot have failed where a later one runs."""
        first = each is self.by_cell[each.cell][0]
        same_cell = each.cell == self.all[place].cell
        return same_cell or each.cell in self.book or (first and each.sure)

    def _tied(self, name: str, place: int) -> set[str]:
        """The names that may stand for the same value, or for one that holds it: `b = [a]`."""
        together = [
            (each.binds | self.touched[each]) - self.fixed - self.builtin
            for each in self.all[:place]
            if not each.inert
        ]
        tied = {name}
        while grown := set[str]().union(*(t for t in together if t & tied)) - tied:
            tied |= grown
        return tied

    def _touched(self, each: Statement) -> set[str]:
        """The names that a statement mentions, itself or in the functions that it calls."""
        touched, fresh = set[str](), set(each.reads)
        while fresh:
            touched |= fresh
            inside = (s.reads for s in self.all if s.binds & fresh & self.fixed)
            fresh = set().union(*inside) - touched
        return touched
