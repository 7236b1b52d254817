"""Read a formula as it is written by hand: 2 log(x) / 3, (y + λ p)/(1 + λ), a(1 - b), x²."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable
from typing import Any

Values = dict[str, float]
Formula = Callable[[Values], float]

OPERATORS: dict[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "**": operator.pow,
}
FUNCTIONS: dict[str, Callable[[float], float]] = {
    "log": math.log, "ln": math.log, "log2": math.log2, "log10": math.log10, "log1p": math.log1p,
    "exp": math.exp, "expm1": math.expm1, "sqrt": math.sqrt,
}  # fmt: skip
CONSTANTS = {"e": math.e, "pi": math.pi}
MODULES = ("math", "np", "numpy", "torch")  # math.log is log
SPELLINGS = {
    "^": "**", "·": "*", "⋅": "*", "∙": "*", "×": "*", "÷": "/", "∕": "/", "−": "-", "–": "-",
    "²": "**2", "³": "**3", "√": " sqrt ", "α": " alpha ", "β": " beta ", "γ": " gamma ",
    "ε": " epsilon ", "θ": " theta ", "λ": " lambda ", "μ": " mu ", "π": " pi ", "σ": " sigma ",
    "τ": " tau ", "[": "(", "]": ")", "{": "(", "}": ")", "\\": " ", "\u00a0": " ",
}  # fmt: skip
TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)"
    r"|(?P<name>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)|(?P<sign>\*\*|[-+*/()]))"
)
MOST_TOKENS = 400


def readings(text: str, symbols: tuple[str, ...]) -> tuple[Formula, Formula]:
    """The formula, twice: s / n b may mean (s / n) b or s / (n b). ValueError if it is none."""
    try:
        tokens = _tokens(text, symbols)
        return _Reader(tokens, tight=False).formula(), _Reader(tokens, tight=True).formula()
    except RecursionError as error:
        raise ValueError("it has too many brackets in each other") from error


def _tokens(text: str, symbols: tuple[str, ...]) -> list[tuple[str, Any]]:
    for spelling, plain in SPELLINGS.items():
        text = text.replace(spelling, plain)
    text, found = text.strip(), list[tuple[str, Any]]()
    while text:
        if (match := TOKEN.match(text)) is None or len(found) > MOST_TOKENS:
            raise ValueError(f"{text[:20]!r} cannot be read")
        kind, token = str(match.lastgroup), match[match.lastgroup or 0]
        text = text[match.end() :].lstrip()
        found.append(_named(token, symbols) if kind == "name" else (kind, token))
    return found


def _named(name: str, symbols: tuple[str, ...]) -> tuple[str, Any]:
    """What a name means: a function, a constant, a symbol, or several that are written together."""
    module, _, last = name.rpartition(".")
    name = last if module in MODULES else name
    likely = [s for s in symbols if s.rstrip("_").lower() == name.rstrip("_").lower()]
    if name in symbols or len(likely) == 1:
        return "symbols", (name if name in symbols else likely[0],)
    if name.lower().replace("_", "") in FUNCTIONS:
        return "function", FUNCTIONS[name.lower().replace("_", "")]
    if name.lower() in CONSTANTS:
        return "number", CONSTANTS[name.lower()]
    if set(name) <= set(symbols):
        return "symbols", tuple(name)
    raise ValueError(f"{name[:20]!r} is none of the symbols")


class _Reader:
    """tight: what is multiplied without a sign belongs together, also after a fraction bar."""

    def __init__(self, tokens: list[tuple[str, Any]], tight: bool):
        self.left, self.tight = tokens[::-1], tight

    def formula(self) -> Formula:
        value = self._chain(("+", "-"), self._term)
        if self.left:
            raise ValueError("there is something left over")
        return value

    def _term(self) -> Formula:
        return self._chain(("*", "/"), self._product if self.tight else self._signed)

    def _product(self) -> Formula:
        return self._chain((), self._signed)

    def _chain(self, signs: tuple[str, ...], part: Callable[[], Formula]) -> Formula:
        value = part()
        multiplies = not signs or ("*" in signs and not self.tight)
        while True:
            if self._next() == "sign" and self.left[-1][1] in signs:
                value = _both(OPERATORS[self.left.pop()[1]], value, part())
            elif multiplies and self._begins():
                value = _both(operator.mul, value, part())
            else:
                return value

    def _next(self) -> str:
        return str(self.left[-1][0]) if self.left else ""

    def _begins(self) -> bool:
        """Whether a factor begins here. A number does not: 2 3 is no product."""
        return self._next() in ("symbols", "function") or self.left[-1:] == [("sign", "(")]

    def _take(self, sign: str) -> bool:
        if self.left[-1:] != [("sign", sign)]:
            return False
        self.left.pop()
        return True

    def _signed(self) -> Formula:
        if self._take("-"):
            value = self._signed()
            return lambda values: -value(values)
        return self._signed() if self._take("+") else self._power()

    def _power(self) -> Formula:
        base = self._atom()
        return _both(operator.pow, base, self._signed()) if self._take("**") else base

    def _atom(self) -> Formula:
        if self._take("("):
            value = self._chain(("+", "-"), self._term)
            if not self._take(")"):
                raise ValueError("a bracket is not closed")
            return value
        if not self.left:
            raise ValueError("a number, a symbol or a bracket is missing")
        kind, token = self.left.pop()
        if kind == "number":
            return lambda values: float(token)
        if kind == "symbols":
            return lambda values: math.prod(values[name] for name in token)
        if kind == "function":
            argument = self._atom() if self.left[-1:] == [("sign", "(")] else self._power()
            return lambda values: float(token(argument(values)))
        raise ValueError(f"{token!r} stands where a number or a symbol is expected")


def _both(sign: Callable[[float, float], float], a: Formula, b: Formula) -> Formula:
    return lambda values: sign(a(values), b(values))
