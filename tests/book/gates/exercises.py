"""A chapter has all its exercises, each once, shown and then asked for in the exercise's own cell."""

from gates.chapter import MARKER, Chapter, is_exercise
from kdlib.exercises import chapters, exercise


def faults(chapter: Chapter) -> list[str]:
    ours = [each.id for each in chapters().get(chapter.number, ())]
    placed = [_id(cell) for cell in chapter.code if is_exercise(cell)]
    found = [f"exercise {id} is missing" for id in ours if id not in placed]
    found += [f"exercise {id} is not of this chapter" for id in placed if id not in ours]
    found += [f"exercise {id} stands twice" for id in ours if placed.count(id) > 1]
    for before, cell in zip([None, *chapter.code], chapter.code):
        if is_exercise(cell) and (id := _id(cell)) in ours:
            if cell.source != exercise(id).cell():
                found.append(f"paste the text of exercise({id!r}).cell()")
            if before is None or before.source != f'exercise("{id}")':
                found.append(f'the cell before exercise {id} is not exercise("{id}")')
    return found


def _id(cell) -> str:
    return cell.source.partition("\n")[0].removeprefix(MARKER)
