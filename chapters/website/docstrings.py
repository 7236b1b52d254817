"""Docstrings as reStructuredText. They are written to be read as they stand, in an editor; here
code, lists, tables and formulas become what they look like."""

from __future__ import annotations

import re
import textwrap

from website import formulas

CODE = re.compile(r"(``[^`]+``|`[^`]+`)")
NAME = re.compile(r"[A-Za-z_][\w.]*")
BULLET = re.compile(r"^- ", re.MULTILINE)
LABEL = re.compile(r"\b(Raises|Source): ")


def converted(text: str) -> str:
    """A whole docstring as reStructuredText."""
    return "\n\n".join(_block(block) for block in _blocks(textwrap.dedent(text).strip("\n")))


def _blocks(text: str) -> list[str]:
    """The paragraphs; an indented one together with the indented ones after it."""
    blocks: list[str] = []
    for block in filter(str.strip, re.split(r"\n\s*\n", text)):
        if blocks and _indented(block) and _indented(blocks[-1]):
            blocks[-1] += "\n\n" + block
        else:
            blocks.append(block)
    return blocks


def _block(block: str) -> str:
    if _indented(block):
        plain = textwrap.dedent(block)
        made = formulas.tex(plain)
        return _display(made) if made else _literal(plain)
    if BULLET.search(block):
        return _with_list(block)
    return _paragraph(block)


def _indented(block: str) -> bool:
    return all(line.startswith("    ") or not line for line in block.splitlines())


def _with_list(block: str) -> str:
    """A paragraph that ends in a list: a blank line before the list and between its items."""
    before, *items = BULLET.split(block)
    made = [_paragraph(before.rstrip())] if before.strip() else []
    made += ["- " + _text(" ".join(item.split())) for item in items]
    return "\n\n".join(made)


def _paragraph(block: str) -> str:
    """A paragraph that begins with a formula has it displayed; the rest follows as text."""
    joined = " ".join(block.split())
    found = formulas.leading(joined)
    if found is None:
        return _text(joined)
    made, rest = found
    rest = re.sub(r"^[.:;,]\s*", "", rest).strip()
    return _display(made) + ("\n\n" + _text(rest) if rest else "")


def _display(made: str) -> str:
    return f".. math::\n\n   {made}"


def _literal(text: str) -> str:
    return "::\n\n" + textwrap.indent(text, "   ")


def _text(text: str) -> str:
    pieces = CODE.split(text)
    pieces[::2] = [_escaped(piece) for piece in pieces[::2]]
    pieces[1::2] = [_code(piece.strip("`")) for piece in pieces[1::2]]
    return "".join(pieces)


def _escaped(text: str) -> str:
    text = re.sub(r"([\\*|_`])", r"\\\1", text)
    return LABEL.sub(lambda match: f"*{match[1]}:* ", text)


def _code(text: str) -> str:
    """A name becomes a link where the pages know it. The escape lets letters follow."""
    return rf":py:obj:`{text}`\ " if NAME.fullmatch(text) else rf"``{text}``\ "
