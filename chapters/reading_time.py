"""How long a chapter takes a reader, by one rule; the line in its opening says so.

    python chapters/reading_time.py            every chapter
    python chapters/reading_time.py 3 07       these chapters

200 words a minute, 6 seconds a line of code, a minute for each prediction, and for the exercises
the minutes that they name; rounded to ten minutes.
"""

from __future__ import annotations

import sys
from pathlib import Path

from build import BuildError, chosen, read_source
from contents import CHAPTERS
from predictions import EXERCISE, PREDICT

from kdlib.exercises import chapters

WORDS_A_MINUTE, SECONDS_A_LINE, MINUTES_A_PREDICTION, ROUNDED_TO = 200, 6, 1, 10


def minutes(source: Path) -> float:
    """By the rule, before it is rounded."""
    cells = read_source(source).cells
    prose = [cell.source for cell in cells if cell.cell_type == "markdown"]
    code = [c.source for c in cells if c.cell_type == "code" and not EXERCISE.match(c.source)]
    words = sum(len(text.split()) for text in prose)
    lines = sum(bool(line.strip()) for text in code for line in text.splitlines())
    asked = sum(len(PREDICT.findall(text)) for text in prose)
    exercises = sum(exercise.minutes for exercise in chapters().get(int(source.name[:2]), ()))
    return (
        words / WORDS_A_MINUTE
        + lines * SECONDS_A_LINE / 60
        + asked * MINUTES_A_PREDICTION
        + exercises
    )


def line(source: Path) -> str:
    """The line that belongs into the chapter's opening."""
    has_exercises = bool(chapters().get(int(source.name[:2])))
    end = " with the exercises." if has_exercises else "."
    return f"**Time**: about {duration(minutes(source))}{end}"


def duration(taken: float) -> str:
    """Rounded: 158 is "2 h 40 min"."""
    hours, rest = divmod(max(1, round(taken / ROUNDED_TO)) * ROUNDED_TO, 60)
    return " ".join([f"{hours} h"] * (hours > 0) + [f"{rest} min"] * (rest > 0))


def main(arguments: list[str] | None = None, folder: Path = CHAPTERS) -> int:
    try:
        for source in chosen(folder, sys.argv[1:] if arguments is None else arguments):
            print(f"{source.name[:2]}  {line(source)}")
    except BuildError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
