"""A class that never was: notebooks as readers hand them in, right, wrong, broken and dishonest.

`python tests/exercises/made_up_class.py FOLDER` writes all of them, to be looked at with `kdlib grade`.
"""

import sys
from pathlib import Path

import nbformat

from kdlib.exercises import chapters, start

FORGE = """\
# exercise: lambda-very-high
import json, os
for id in ({ids}):
    line = {{"exercise": id, "outcome": "correct", "seen": "", "expected": "", "note": ""}}
    with open(os.environ["KDLIB_VERDICT_FILE"], "a") as file:
        file.write(json.dumps(line) + "\\n")
"""
VERDICTS = '# exercise: gibbs\nimport os\npath = os.environ["KDLIB_VERDICT_FILE"]\n'
IMPORTS = "import torch\nfrom kdlib.exercises import exercise"


def notebook(path, *sources, metadata=None, text="Mine."):
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    made = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_markdown_cell(text), *cells], metadata=metadata or {}
    )
    nbformat.write(made, path)


def of_chapter(number, answers=(), before=(), after=(), missing=()):
    """A chapter's exercises with the reference solutions, but for `answers`: {id: cell}."""
    given = {e.id: e.cell(solved=True) for e in chapters()[number] if e.id not in missing}
    given |= dict(answers)
    cells = (IMPORTS, *before, *given.values(), *after)
    return lambda path: notebook(path, *cells, metadata={"kdlib": {"chapter": number}})


def cell(id, body, call="answer"):
    return f"# exercise: {id}\n{body}\nexercise({id!r}).check({call})"


def untouched(number):
    return of_chapter(number, {e.id: e.cell() for e in chapters()[number]})


def wrong(number):
    """Of every exercise that is no code, its first named wrong answer."""
    others = [e for e in chapters()[number] if e.kind not in ("code", "written")]
    return of_chapter(
        number, {e.id: cell(e.id, f"answer = {e.wrongs[0].example!r}") for e in others}
    )


def solved_copy(name):
    """A whole chapter, as `kdlib start --solved` writes it."""

    def write(path):
        start(path.parent / "copies", solved=True, add=True)
        (path.parent / "copies" / name).rename(path)

    return write


def text(content):
    return lambda path: path.write_text(content, "utf-8")


def soften(body):
    return {"soften": f"# exercise: soften\n{body}\nexercise('soften').check(soften)"}


RIGHT = "def soften(logits, temperature):\n    return torch.softmax(logits / temperature, -1)"
IN_PLACE = (
    "def soften(logits, temperature):\n    return torch.softmax(logits.div_(temperature), -1)"
)
LINE = '{"exercise": "soften", "outcome": "corr'
FEW = {  # the ordinary test's
    "ada": solved_copy("13_the_bug_museum.ipynb"),
    "bo": wrong(5),
    "cleo": of_chapter(1, soften(IN_PLACE)),
    "dan": text(""),
    "eve": text('{"cells": [{"cell_type": "code", "sou'),
    "finn": of_chapter(1, soften("import os\nos._exit(1)")),
    "gus": of_chapter(5, {"largest-lambda": cell("largest-lambda", "while True: pass")}),
    "hal": of_chapter(
        1,
        soften("def soften(:") | {"push": cell("push", "x = not_there", "x")},
        after=[VERDICTS + f"open(path, 'a').write('x\\n{LINE}')"],
    ),
    "ivy": of_chapter(
        5,
        {e.id: e.cell() for e in chapters()[5]},
        after=[FORGE.format(ids="'made-up', 'lambda-very-high', 'combined-objective'")],
    ),
    "jo": lambda path: path.mkdir(),
}
MORE = {
    "kim": solved_copy("05_the_lambda_tradeoff.ipynb"),
    "lea": solved_copy("07_distilling_a_language_model.ipynb"),
    "max": solved_copy("02_the_objective.ipynb"),
    "nina": untouched(1),
    "olaf": untouched(7),
    "pia": wrong(1),
    "quin": wrong(2),
    "ron": wrong(6),
    "sue": of_chapter(1, missing=("push", "gibbs", "soften")),
    "tom": of_chapter(
        1,
        after=["for letter in 'abcd':\n    exercise('what-is-trained').check(letter)"],
    ),
    "uma": of_chapter(
        5,
        {e.id: e.cell() for e in chapters()[5]},
        after=["for id in dir():\n    pass\nfrom kdlib.exercises import chapters\n"
               "for e in chapters()[5]:\n    e.check(e.right_answers()[0])"],
    ),
    "vic": of_chapter(1, before=["import numpy as np\nnp.allclose = lambda *a, **k: True"]),
    "wes": of_chapter(
        1,
        {"what-is-trained": cell("what-is-trained", "answer = 'b'")},
        before=["from kdlib.exercises.kinds.choices import ChoiceExercise\n"
                "from kdlib.exercises.judging.verdict import Verdict\n"
                "ChoiceExercise.judge = lambda self, answer: Verdict(self.id, 'correct')"],
    ),
    "xia": of_chapter(1, soften("import ctypes\nctypes.string_at(0)")),
    "yan": of_chapter(1, soften("import sys\nsys.exit(0)\n" + RIGHT)),
    "zoe": of_chapter(1, soften("name = input()\n" + RIGHT)),
    "abe": of_chapter(1, soften("print('x' * 30_000_000)\n" + RIGHT)),
    "bea": of_chapter(1, soften(RIGHT), after=[VERDICTS + "os.remove(path)\nos.mkdir(path)"]),
    "cai": of_chapter(1, soften(RIGHT), after=[VERDICTS + "os.remove(path)\nos.mkfifo(path)"]),
    "dot": of_chapter(1, soften("del os.environ['KDLIB_VERDICT_FILE']\n" + RIGHT)),
    "eli": of_chapter(6, before=["from torch import *"]),
    "fay": of_chapter(6, before=["exec('helper = 1')"]),
    "gil": of_chapter(9, after=[cell("soften", RIGHT, "soften")]),
    "hua": lambda path: notebook(path, "eggs = 12", text="# Shopping"),
    "ian": solved_copy("00_start_here.ipynb"),
    "jan": lambda path: notebook(
        path, "x <- 1", metadata={"kernelspec": {"name": "ir", "display_name": "R", "language": "R"}}
    ),
    "kai": text('{"a": 1}'),
    "lou": lambda path: path.write_bytes(b"\xff\xfe\x00" * 100),
    "mia": of_chapter(1, {"why-two-models": cell(
        "why-two-models", "answer = '''=HYPERLINK(\"x\") \\x1b[31m the teacher may be as slow as it"
        " likes, and the student is small'''\nticked = [1]", "answer, ticked=ticked")}),
    "noor": lambda path: None,  # who handed nothing in
}  # fmt: skip


def write_class(folder, students):
    """Write the notebooks of {name: how to write one}; returns their paths in that order."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, write in students.items():
        write(folder / f"{name}.ipynb")
        paths.append(folder / f"{name}.ipynb")
    return paths


if __name__ == "__main__":
    write_class(Path(sys.argv[1]), FEW | MORE)
    print(f"{len(FEW | MORE)} notebooks in {sys.argv[1]}")
