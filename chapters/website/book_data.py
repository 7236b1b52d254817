"""What a page must know of all exercises to keep a reader's progress: book.js, read by progress.js."""

from __future__ import annotations

import json
from collections.abc import Sequence

from kdlib.exercises import progress
from kdlib.exercises.kinds.base import Exercise
from kdlib.exercises.kinds.written import WrittenExercise
from website.chapter import Chapter

NAME = "exercises/book.js"  # in the folder of static files
SCRIPTS = (NAME, "exercises/progress.js", "progress.js")  # each uses those before it


def script(chapters: Sequence[Chapter]) -> str:
    """book.js."""
    data = json.dumps(book(chapters), ensure_ascii=False, separators=(",", ":"))
    return (
        "// Written by chapters/website/book_data.py from kdlib.exercises.\n"
        f'"use strict";\n\nglobalThis.Exercises ??= {{}};\nExercises.book = {data};\n'
    )


def book(chapters: Sequence[Chapter]) -> dict:
    """The states that an entry of progress may have, and each exercise of these chapters."""
    return {
        "version": progress.VERSION,
        "states": progress.STATES,
        "done": progress.DONE,
        "exercises": {
            exercise.id: _about(exercise, chapter.source.stem)
            for chapter in chapters
            for exercise in chapter.exercises
        },
    }


def _about(exercise: Exercise, chapter: str) -> dict:
    """points: how many its rubric has, where it has one."""
    about = {"chapter": chapter, "minutes": exercise.minutes}
    if isinstance(exercise, WrittenExercise):
        about["points"] = len(exercise.rubric)
    return about
