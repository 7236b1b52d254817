"""A code cell is short and narrow enough to be read beside its text on a laptop."""

from gates.chapter import Chapter, is_exercise

LINES, COLUMNS = 20, 79


def faults(chapter: Chapter) -> list[str]:
    found = []
    for number, cell in enumerate(chapter.code, start=1):
        if is_exercise(cell):  # its length is the exercise's
            continue
        lines = cell.source.splitlines()
        if len(lines) > LINES:
            found.append(f"code cell {number} has {len(lines)} lines; at most {LINES}")
        if widest := [line for line in lines if len(line) > COLUMNS]:
            found.append(f"code cell {number} is wider than {COLUMNS} columns: {widest[0]}")
    return found
