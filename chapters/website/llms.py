"""llms.txt: what the website holds, as a list that a program reads first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from website.chapter import NOTEBOOKS, Chapter

NAME = "llms.txt"
HEAD = """# Knowledge Distillation, Executed

> A textbook companion on the distillation of language models, and the package under it. Every number
> in the text stands in an output of its page; the tests run the pages again and compare.

Each chapter is a page and a notebook. In the notebooks the exercises are not answered.
"""
LOOK_UP = """
## To look things up

- [Three models in the page](three_models.html): a teacher, a student and its control, run in the browser
- [The challenge](challenge.html): the best student within a budget of operations, and how to enter
- [Notation](notation.html): symbols, and the formulas F1 to F8
- [Glossary](glossary.html): the field's words in a sentence or two
- [Symptoms and mistakes](misconceptions.html): what one sees, what is wrong, what to do
- [Exercises](exercises.html): all of them, with kind, difficulty and time
- [The package](api/index.html): what the chapters import, with its formulas
"""


def text(chapters: Sequence[Chapter], questions: Mapping[int, str]) -> str:
    """The whole file.

    Args:
        chapters: in their order.
        questions: what each asks, by its number.
    """
    rows = [
        f"- [{each.title}]({each.source.stem}.html): {questions.get(each.number, '')} "
        f"([notebook]({NOTEBOOKS}/{each.source.stem}.ipynb))"
        for each in chapters
    ]
    return "\n".join([HEAD, "## Chapters", "", *rows, LOOK_UP])
