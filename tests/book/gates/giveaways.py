"""In a clean copy no answer can be found before its question is answered.

What stands before an exercise's own cell (headings, prose, code, the words of pictures, the
exercise's id) and what the cells before it print must not hold the exercise's answer:

- a number: one of three digits or more not anywhere in the chapter or in an earlier one, to its
  decimals or more; a shorter one, which stands in many places, not in its own section;
- of a choice the right option, or six words in a row of it; three in a row in the id;
- the items of an ordering one after the other in the right order, or its letters;
- eight words in a row of the model of a written answer.

Not looked for are functions and derivations: their answers are no texts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal

from nbformat import NotebookNode
from predictions import EXERCISE

from gates import claims
from gates.chapter import MARKER, Chapter, chapters, is_exercise, printed
from gates.claims import Number
from kdlib.exercises import exercise, exercises
from kdlib.exercises.kinds.base import Exercise
from kdlib.plots.words import texts_of

RUN, RUN_OF_MODEL, RUN_OF_ID = 6, 8, 3  # words in a row that give a text away
DIGITS = 3  # of a number that nothing else is likely to be
FORMAT = re.compile(r":[<>^+, ]*\d*,?(?:\.\d+)?[a-z%]?\}")  # {loss:.2f} holds no number
# The exercises whose answer stands before them and gives nothing away, and why.
ALLOWED = {
    "largest-lambda": "its 0.20 is a weight; the 0.20 printed near by is a word's probability",
    "plan-in-full": "every plan of it names the control, and so does the chapter from its first page",
    "bug-cache-pays": "its 2.17 is a price; the 2.1660 of chapter 5 is a loss",
}


def faults(chapter: Chapter, book: Iterable[Chapter] | None = None) -> list[str]:
    earlier = [each for each in (chapters() if book is None else book)
               if each.number < chapter.number]  # fmt: skip
    found = []
    for place, cell in enumerate(chapter.notebook.cells):
        if cell.cell_type != "code" or not is_exercise(cell):
            continue
        id = cell.source.partition("\n")[0].removeprefix(MARKER)
        if id not in exercises():
            continue  # which is another gate's fault
        before = chapter.notebook.cells[:place]
        near = [*texts_before(before[_begin_of_section(before) :], chapter.number)]
        far = [*texts_before(before, chapter.number)]
        given = given_away(exercise(id), near, far + [t for e in earlier for t in all_texts(e)])
        if given and id not in ALLOWED:
            found.append(f"{id}: {given}")
    return found


def _begin_of_section(cells: list[NotebookNode]) -> int:
    heads = [place for place, cell in enumerate(cells) if re.match(r"## ", cell.source)]
    return heads[-1] if heads else 0


def texts_before(cells: list[NotebookNode], number: int) -> Iterable[str]:
    """What a reader of these cells of chapter `number` has read once they have run."""
    for cell in cells:
        if EXERCISE.match(cell.source):
            continue  # a question, which its own author answers for
        yield FORMAT.sub("}", cell.source) if cell.cell_type == "code" else cell.source
        if cell.cell_type == "code":
            yield from printed(cell)
            yield from _words_of_pictures(cell.source, number)


def all_texts(chapter: Chapter) -> Iterable[str]:
    return texts_before(chapter.notebook.cells, chapter.number)


def _words_of_pictures(code: str, number: int) -> Iterable[str]:
    for key in re.findall(r'words\(\s*"\d\d-([^"]+)"', code):
        yield texts_of(number).get(key, "")


def given_away(about: Exercise, near: list[str], all_before: list[str]) -> str:
    """What stands in its section, or anywhere before it, of the answer; nothing if nothing does."""
    if about.kind == "number":
        return _number(about, near, all_before)
    if about.kind == "choice":
        option = about.options["abcdefgh".index(about.letter)].text
        id = about.id.replace("-", " ")
        return _run(option, all_before, RUN) or _run(option, [id], RUN_OF_ID)
    if about.kind == "ordering":
        return _order(about, all_before)
    if about.kind == "written":
        return _run(about.model, all_before, RUN_OF_MODEL)
    return ""


def _number(about: Exercise, near: list[str], all_before: list[str]) -> str:
    answer = Decimal(f"{abs(about.value):.{about.decimals}f}")
    wanted = Number(str(answer), answer, False)
    is_long = len(answer.normalize().as_tuple().digits) >= DIGITS
    for text in all_before if is_long else near:
        for line in text.splitlines():
            found = claims.numbers(claims.NO_CLAIM.sub(" ", line))
            if claims.supported(wanted, *((found, []) if is_long else ([], found))):
                return f"its {answer} stands before it: {line.strip()}"
    return ""


def _order(about: Exercise, texts: list[str]) -> str:
    letters = re.compile(rf"\b{'[ ,>]*'.join(about.letters)}\b", re.IGNORECASE)
    items = re.compile(".*".join(re.escape(_flat(item)) for item in about.items))
    for text in texts:
        if letters.search(text) or items.search(_flat(text)):
            return f"its order stands before it: {text[:60]!r}"
    return ""


def _run(answer: str, texts: list[str], length: int) -> str:
    """The first words in a row of the answer that a text has; all of a shorter answer."""
    words = _flat(answer).split()
    length = min(length, len(words))
    runs = [" ".join(words[i : i + length]) for i in range(len(words) - length + 1)]
    for text in texts:
        flat = f" {_flat(text)} "
        for run in runs:
            if f" {run} " in flat:
                return f"its words {run!r} stand before it"
    return ""


def _flat(text: str) -> str:
    """Words in small letters, without signs."""
    return " ".join(re.findall(r"[^\W_]+", text.lower()))
