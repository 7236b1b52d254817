"""The page of all exercises: how far one is, and every exercise of every chapter in a table."""

from __future__ import annotations

from kdlib.exercises.kinds.base import Exercise
from kdlib.exercises.kinds.card import title
from website import cards
from website.chapter import Chapter
from website.quizzes import is_quiz

HEAD = "| exercise | kind | difficulty | minutes |\n|---|---|---|---|"
PROGRESS = """<div id="progress" class="on-screen">
<div class="panel" hidden></div>
<p>What you have done is kept in this browser alone. The file is the one that the notebooks know:
<code>kdlib exercises --load kdlib-progress.json</code> adds it to your progress there, and
<code>kdlib exercises --save mine.json</code> writes one that you can load here.</p>
</div>"""


def page(chapters: list[Chapter]) -> str:
    """All exercises, chapter by chapter, as Markdown."""
    asked = [exercise for chapter in chapters for exercise in chapter.exercises]
    here = sum(map(is_quiz, asked))
    parts = [
        "# Exercises",
        f"Of the {len(asked)} exercises {here} can be answered on the page, which names the mistake "
        "that a wrong answer shows; what asks for a few sentences you mark yourself. The others ask "
        "for code and are solved in the notebook, where `.check(answer)` judges them.",
        PROGRESS,
    ]
    for chapter in (chapter for chapter in chapters if chapter.exercises):
        rows = "\n".join(map(_row, chapter.exercises))
        parts += [f"## {chapter.title}", f"{HEAD}\n{rows}"]
    return "\n\n".join(parts) + "\n"


def _row(exercise: Exercise) -> str:
    where = ", on the page" if is_quiz(exercise) else ""
    return (
        f"| [{title(exercise.id)}](#{cards.card_id(exercise)}) | {exercise.kind}{where} "
        f"| {cards.dots(exercise.difficulty)} | {exercise.minutes} |"
    )
