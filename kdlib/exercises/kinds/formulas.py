"""Read a formula as a reader writes it, and tell whether two formulas are the same function."""

from __future__ import annotations

import ast
import math
import operator
import random
import re
from collections.abc import Callable

OPERATORS: dict[type[ast.operator | ast.unaryop], Callable[..., float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}
FUNCTIONS = {"log": math.log, "ln": math.log, "exp": math.exp, "sqrt": math.sqrt}
CONSTANTS = {"e": math.e}
SPELLINGS = {
    "^": "**",
    "·": "*",
    "×": "*",
    "−": "-",
    "²": "**2",
    "³": "**3",
    "λ": "lambda_",
    "θ": "theta",
}
POINTS = 4  # random places at which two formulas are compared


def evaluate(text: str, values: dict[str, float]) -> float:
    """The value of a formula. ValueError where it cannot be read."""
    for spelling, python in SPELLINGS.items():
        text = text.replace(spelling, python)
    text = re.sub(r"\blambda\b", "lambda_", text)
    try:
        return float(_value(ast.parse(text.strip(), mode="eval").body, values))
    except (SyntaxError, TypeError, ArithmeticError, RecursionError) as error:
        raise ValueError(f"{text!r} cannot be read as a formula") from error


def _value(node: ast.expr, values: dict[str, float]) -> float:
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
        return float(node.value)
    if isinstance(node, ast.Name) and (node.id in values or node.id in CONSTANTS):
        return values[node.id] if node.id in values else CONSTANTS[node.id]
    if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
        return OPERATORS[type(node.op)](_value(node.left, values), _value(node.right, values))
    if isinstance(node, ast.UnaryOp) and type(node.op) in OPERATORS:
        return OPERATORS[type(node.op)](_value(node.operand, values))
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in FUNCTIONS
        and len(node.args) == 1
    ):
        return FUNCTIONS[node.func.id](_value(node.args[0], values))
    raise ValueError(
        "it uses something other than the given symbols, numbers, + - * / **, log and exp"
    )


def same_formula(a: str, b: str, symbols: tuple[str, ...]) -> bool:
    """Whether two formulas agree at seeded random places. ValueError where one cannot be read.

    Symbols stand for numbers between 0.2 and 0.9, so that they may be probabilities.
    """
    places = random.Random(0)
    for _ in range(POINTS):
        values = {symbol: places.uniform(0.2, 0.9) for symbol in symbols}
        if not math.isclose(evaluate(a, values), evaluate(b, values), rel_tol=1e-6, abs_tol=1e-9):
            return False
    return True
