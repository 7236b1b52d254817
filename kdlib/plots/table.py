"""Results as a table: HTML in a notebook, aligned text elsewhere."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from typing import Any

NONE = "-"
NEGATIVE_ZERO = re.compile(r"^-(?=0*[.,]?0*(?:e[+-]?\d+)?%?$)")


class Table:
    """What `table` returns: a notebook shows its HTML, ``print`` its text.

    Attributes:
        head: the corner and the names of the columns.
        rows: for each row its name and its values, as text.
        is_text: for each column after the names, whether it holds words and no number.
    """

    def __init__(self, head: list[str], rows: list[list[str]], is_text: list[bool]) -> None:
        self.head = head
        self.rows = rows
        self.is_text = is_text

    def __repr__(self) -> str:
        """Names and words to the left, numbers to the right, two blanks between columns."""
        widths = [max(map(len, column)) for column in zip(self.head, *self.rows)]
        sides = "<" + "".join("<" if text else ">" for text in self.is_text)
        lines = [
            "  ".join(f"{cell:{side}{width}}" for cell, side, width in zip(row, sides, widths))
            for row in [self.head, *self.rows]
        ]
        return "\n".join(line.rstrip() for line in lines)

    def _repr_html_(self) -> str:
        head = "".join(
            f'<th scope="col"{side}>{_escaped(cell)}</th>'
            for cell, side in zip(self.head, self._sides())
        )
        body = "\n".join(self._row(row) for row in self.rows)
        return (
            f'<table class="results">\n<thead><tr>{head}</tr></thead>\n'
            f"<tbody>\n{body}\n</tbody>\n</table>"
        )

    def _row(self, row: list[str]) -> str:
        name, *cells = row
        first, *sides = self._sides()
        data = "".join(f"<td{side}>{_escaped(cell)}</td>" for cell, side in zip(cells, sides))
        return f'<tr><th scope="row"{first}>{_escaped(name)}</th>{data}</tr>'

    def _sides(self) -> list[str]:
        """The alignment of each column as an attribute; notebook programs differ in theirs."""
        return [
            f' style="text-align:{"left" if text else "right"}"' for text in [True, *self.is_text]
        ]


def table(
    rows: Mapping[Any, Mapping[Any, Any]],
    formats: str | Mapping[Any, str] = ".4f",
    corner: str = "",
) -> Table:
    """A table of results; as the last expression of a cell it is shown.

    Args:
        rows: {name of the row: {name of the column: value}}. A value is a number, a tensor of one
            element, a text, or None, which is shown as "-".
        formats: how numbers are written, as in ``format(number, ".4f")``: one for all, where whole
            numbers (int) keep no decimals, or {name of the column: format of all its numbers};
            columns without one get ".4f".
        corner: what stands above the names of the rows.

    Returns:
        The table. A number that rounds to zero has no sign in it.

    Raises:
        ValueError: for no rows or no columns, for rows whose columns differ, or for a format of a
            column that there is not.
    """
    columns = _columns(rows)
    if isinstance(formats, Mapping) and (unknown := [c for c in formats if c not in columns]):
        raise ValueError(f"formats names {unknown}, but the columns are {columns}")
    values = [[row[column] for column in columns] for row in rows.values()]
    texts = [
        [str(name), *(_text(value, column, formats) for value, column in zip(row, columns))]
        for name, row in zip(rows, values)
    ]
    is_text = [any(isinstance(value, str) for value in column) for column in zip(*values)]
    return Table([corner, *map(str, columns)], texts, is_text)


def _columns(rows: Mapping[Any, Mapping[Any, Any]]) -> list[Any]:
    """The names of the columns, the same in every row."""
    columns = list(next(iter(rows.values()), ()))
    if not columns:
        raise ValueError("rows is empty; give {row: {column: value}}")
    for name, row in rows.items():
        if set(row) != set(columns):
            raise ValueError(
                f"row {name!r} has the columns {list(row)}, the first row {columns};"
                " give None where there is nothing to show"
            )
    return columns


def _text(value: Any, column: Any, formats: str | Mapping[Any, str]) -> str:
    if value is None:
        return NONE
    if isinstance(value, str):
        return value
    number = value.item() if hasattr(value, "item") else value
    if isinstance(formats, str):
        is_whole = isinstance(number, int) and "." in formats
        chosen = "" if is_whole else formats
    else:
        chosen = formats.get(column, "" if isinstance(number, int) else ".4f")
    return NEGATIVE_ZERO.sub("", format(number, chosen))


def _escaped(text: str) -> str:
    return html.escape(text, quote=False)
