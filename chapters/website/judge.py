"""What the page's judge knows: the tables and patterns of the exercises' own checker, as data.

The scripts under static/exercises judge as kdlib.exercises does. What that package knows by name or
by pattern stands there alone and is written into rules.js when the site is made; a test puts the same
answers to both judges.
"""

from __future__ import annotations

import json
import random
import re

from kdlib.exercises import chapters
from kdlib.exercises.judging.verdict import SIGNS
from kdlib.exercises.kinds import derivations, formula_reader, formulas, number_reader, spellings
from kdlib.exercises.kinds.derivations import DerivationExercise
from kdlib.exercises.kinds.numbers import BITS, LIKE_IT, NEAR
from website import predict_forms

FOLDER = "exercises"  # in the folder of static files
RULES = f"{FOLDER}/rules.js"
# Each uses those before it.
SCRIPTS = (
    RULES,
    *(f"{FOLDER}/{n}.js" for n in ("verdicts", "spellings", "formulas")),
    *(f"{FOLDER}/{n}.js" for n in ("numbers", "orderings", "derivations")),
    "quiz.js",
)
IN_SCRIPT = {
    "log": "log", "ln": "log", "log2": "log2", "log10": "log10", "log1p": "log1p",
    "exp": "exp", "expm1": "expm1", "sqrt": "sqrt",
}  # fmt: skip
LETTER = r"\p{L}\p{N}_"  # what Python calls \w
BORDER = f"(?:(?<=[{LETTER}])(?![{LETTER}])|(?<![{LETTER}])(?=[{LETTER}]))"  # and \b


def script() -> str:
    """rules.js."""
    data = json.dumps(rules(), ensure_ascii=False, separators=(",", ":"))
    return (
        "// Written by chapters/website/judge.py from the checker of kdlib.exercises.\n"
        f'"use strict";\n\nglobalThis.Exercises ??= {{}};\nExercises.rules = {data};\n'
    )


def add_scripts(app, page, template, context, doctree) -> None:
    """html-page-context: only a page that has exercises, or forms of predictions, loads their judge."""
    body = context.get("body", "")
    if 'class="quiz"' in body or predict_forms.MARK in body:
        for name in SCRIPTS:
            app.add_js_file(name, loading_method="defer")


def rules() -> dict:
    return {
        "signs": SIGNS,
        "spellings": {
            "around": spellings.AROUND,
            "emptyWords": spellings.EMPTY_WORDS,
            "numberWords": spellings.NUMBER_WORDS,
        },
        "formulas": {
            "token": pattern(formula_reader.TOKEN, start="^"),
            "spellings": list(formula_reader.SPELLINGS.items()),
            "functions": {name: IN_SCRIPT[name] for name in formula_reader.FUNCTIONS},
            "constants": formula_reader.CONSTANTS,
            "modules": formula_reader.MODULES,
            "most": formula_reader.MOST_TOKENS,
            "points": formulas.POINTS,
            "tries": formulas.TRIES,
            "places": places(),
        },
        "numbers": {
            "ahead": pattern(number_reader.IN_FRONT),
            "percent": pattern(number_reader.PERCENT),
            "inBits": pattern(number_reader.BITS),
            "unit": pattern(number_reader.UNIT),
            "units": sorted(number_reader.UNITS),
            "scales": sorted(number_reader.SCALES),
            "bits": BITS,
            "near": NEAR,
            "likeIt": LIKE_IT,
        },
        "derivations": {"equals": pattern(derivations.EQUALS), "such": derivations.SUCH},
    }


def places() -> list[float]:
    """Where two formulas are compared: the checker's own places, one after the other.

    How many symbols a formula has decides how many of them make one place.
    """
    draw = random.Random(formulas.SEED)
    most = max(len(e.symbols) for found in chapters().values() for e in found
               if isinstance(e, DerivationExercise))  # fmt: skip
    count = formulas.TRIES * most
    return [round(draw.uniform(*formulas.BETWEEN), 6) for _ in range(count)]


def pattern(compiled: re.Pattern[str], start: str = "") -> tuple[str, str]:
    """A pattern as JavaScript reads it: its source and its flags."""
    inside, parts = False, [start]
    for part in re.findall(r"\\.|\(\?P<|.", compiled.pattern):
        inside = (inside or part == "[") and part != "]"
        parts.append(_translated(part, inside))
    return "".join(parts), "iu" if compiled.flags & re.IGNORECASE else "u"


def _translated(part: str, inside: bool) -> str:
    if part == r"\w":
        return LETTER if inside else f"[{LETTER}]"
    return {r"\b": BORDER, "(?P<": "(?<"}.get(part, part)
