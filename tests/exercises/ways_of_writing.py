"""How readers write one and the same answer: in brackets and quotes, with a unit, as a formula."""

import re
from decimal import Decimal
from fractions import Fraction

import numpy as np
import torch

from kdlib.exercises.kinds.formulas import is_formula


def spellings_of_an_option(letter, text):
    return [
        letter, letter.upper(), f"({letter})", f"{letter})", f"{letter}.", f"`{letter}`",
        f"'{letter}'", f'"{letter}"', f" ({letter.upper()}). ", f"option {letter}", f"[{letter}]",
        [letter], (letter,), {letter}, np.array([letter]), np.array(letter), np.str_(letter),
        f"{letter}: {text}", f"({letter}) {text}", f"{letter} - {text}", text, f"`{text}`",
        text.upper(), text.rstrip("."), [text],
    ]  # fmt: skip


def spellings_of_a_number(text, value, unit):
    share = [f"{100 * value:.6g}%", f"{100 * value:.6g} %", f"{100 * value:.6g} percent"]
    return [
        text, float(text), text.replace(".", ","), f" {text} ", f"`{text}`", f"'{text}'",
        f"{text}.", f"${text}$", f"= {text}", f"answer = {text}", f"≈ {text}", f"about {text}",
        f"+{text}" if value > 0 else text.replace("-", "−"), f"{float(text):e}", [float(text)],
        (text,), np.array([float(text)]), np.float64(text), torch.tensor(float(text)).double(),
        Fraction(text), Decimal(text), f"({text})", f"{text} * 1", f"2 * {text} / 2",
        *(share if 0 < value < 1 and not unit else []),
        *(f"{text}{gap}{u}" for gap in ("", " ") for u in ("nats", "Nats", "NATS", "nat") if unit),
        *([] if unit else [f"{text} times", f"{text} x"]),
    ]  # fmt: skip


def spellings_of_a_formula(text):
    spaced = re.sub(r"(?<!\*)\*(?!\*)(?! *\d)", " ", text)
    greek = text
    for name, letter in (("lambda", "λ"), ("alpha", "α"), ("beta", "β")):
        greek = re.sub(rf"\b{name}\b", letter, greek)
    return [
        text, f"`{text}`", f"'{text}'", f"${text}$", f" {text} ", f"{text}.", f"({text})",
        f"x = {text}", text.replace("**", "^"), text.replace("-", "−"), text.replace("log", "ln"),
        text.replace("log", "math.log").replace("exp", "np.exp"), greek, spaced,
        re.sub(r"(?<!\*)\*(?!\*)", "·", text), text.replace(" ", ""), f"1 * {text}",
        text.replace("(", "[").replace(")", "]"),
    ]  # fmt: skip


def spellings_of_a_term(text):
    return [
        text, f"`{text}`", f"'{text}'", f'"{text}"', f"{text}.", f"`{text}`.", text.upper(),
        text.capitalize(), text.replace(" ", "-"), text.replace("-", " "),
        text.replace(" ", "_"), f"the {text}", f" {text} ",
    ]  # fmt: skip


def spellings(e, text):
    return (spellings_of_a_formula if is_formula(text, e.symbols) else spellings_of_a_term)(text)
