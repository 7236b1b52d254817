"""The docstrings' formulas, written for a terminal, as TeX: "sum_v p_v log q_v" and the like.

A text counts as a formula only when every piece of it is known here; anything else stays text.
"""

from __future__ import annotations

import re

GREEK = ("alpha", "beta", "lambda", "mu", "theta")
OPERATORS = ("log", "exp", "max", "min")
NAMES = ("KL", "CE", "KD", "JS", "Loss", "head", "tail", "label", "rate", "weight")
LETTERS = tuple("PQMHDTVBLNdgikpqstvwz")
SYMBOLS = {
    "||": r" \,\Vert\, ",
    "‖": r" \,\Vert\, ",
    "|": "|",
    "*": r" \cdot ",
    "->": r" \to ",
    "<=": r" \le ",
    ">=": r" \ge ",
    "<": " < ",
    ">": " > ",
    "²": "^2",
    "[": "[",
    "]": "]",
    **dict.fromkeys("()+-=/,.", None),
}
WORD = r"[A-Za-z][A-Za-z]*"
TOKEN = re.compile(
    rf"\s*(?P<token>\|\||->|<=|>=|\d+(?:\.\d+)?|{WORD}~?(?:_{WORD})*(?:\^(?:{WORD}|\d))?|\^\d|.)"
)
ROOT = re.compile(r"\bsqrt\(([^()]+)\)")
MOST = 160  # characters; what is longer is a sentence


def tex(text: str) -> str | None:
    """A formula as TeX, or None where any part of the text is no formula."""
    if len(text) > MOST or not re.search(r"[=/+*^]|\|\||‖|\bKL\b|sum_|log", text):
        return None
    pieces = [_root(piece) for piece in ROOT.split(text)[1::2]]
    text = ROOT.sub("\0", text)
    found, depth = [], 0
    for match in TOKEN.finditer(" ".join(text.split())):
        token = match["token"]
        depth += (token in "([") - (token in ")]")
        piece = pieces.pop(0) if token == "\0" else _token(token)
        if piece is None:
            return None
        found.append(r",\quad " if piece == "," and depth == 0 else piece)
    made = "".join(found)
    return _tidy(made) if _balanced(text) else None


def leading(text: str) -> tuple[str, str] | None:
    """The longest formula that a text begins with, as TeX, and the text after it."""
    for end in sorted(_ends(text), reverse=True):
        if (made := tex(text[:end].rstrip())) is not None:
            return made, text[end:]
    return None


def _ends(text: str) -> set[int]:
    """Where a formula may end: before a punctuation mark that a space or nothing follows."""
    return {match.start() for match in re.finditer(r"[.,:;](?=\s|$)|\s+(?=per |over |for )", text)}


def _root(inside: str) -> str | None:
    made = tex(inside) or _token(inside)
    return made and rf"\sqrt{{{made}}}"


def _token(token: str) -> str | None:
    if token in SYMBOLS:
        return SYMBOLS[token] or token
    if re.fullmatch(r"\d+(\.\d+)?|\^\d", token):
        return token
    base, _, power = token.partition("^")
    if base.endswith("_weight"):  # a name of the code, no letter with an index
        return rf" \mathrm{{{base.replace('_', chr(92) + '_')}}} " if not power else None
    head, *indices = base.split("_")
    parts = [_name(head), *map(_name, indices)]
    if None in parts or (power and _name(power) is None and not power.isdigit()):
        return None
    sub = f"_{{{','.join(parts[1:])}}}" if indices else ""
    sup = f"^{{{_name(power) or power}}}" if power else ""
    return f" {parts[0]}{sub}{sup} "


def _name(word: str) -> str | None:
    if word.endswith("~"):
        inside = _name(word[:-1])
        return inside and rf"\tilde{{{inside}}}"
    if word in (*GREEK, *OPERATORS):
        return f"\\{word}"
    if word in ("sum", "in"):
        return r"\sum" if word == "sum" else r"\in"
    if word in NAMES:
        return rf"\mathrm{{{word}}}"
    return word if word in LETTERS else None


def _balanced(text: str) -> bool:
    return all(text.count(a) == text.count(b) for a, b in ("()", "[]")) and text.count("|") % 2 == 0


def _tidy(made: str) -> str:
    made = re.sub(r"\s+", " ", made).strip()
    made = re.sub(r" (?=[),\]_^|])", "", made)
    made = re.sub(r"(?<=\}) (?=\()|(?<=\b[A-Z]) (?=\()", "", made)
    return re.sub(r"(?<=[(\[]) ", "", made)
