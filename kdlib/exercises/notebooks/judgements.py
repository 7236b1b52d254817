"""From the lines that a notebook's checks wrote to one judgement an exercise.

The lines were written in the notebook's kernel, where its code may write what it likes. So a line
that cannot be read is counted and passed by, and an answer that is a letter, a number, an order or
a derivation is judged again, here. For code, and for what a reader marks, the line has to do.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from kdlib.exercises.judging.handed_in import read_back
from kdlib.exercises.judging.sandbox import within
from kdlib.exercises.judging.verdict import (
    CORRECT,
    ERROR,
    NOT_ATTEMPTED,
    SELF_MARKED,
    TO_MARK,
    WRONG,
)
from kdlib.exercises.kinds.base import SECONDS, Exercise
from kdlib.exercises.registry import exercises

AGAIN = ("choice", "number", "ordering", "derivation")  # kinds whose answers are judged again
JUDGED = (CORRECT, WRONG, NOT_ATTEMPTED, ERROR)
MARKED = (SELF_MARKED, TO_MARK, NOT_ATTEMPTED, ERROR)  # outcomes of a written answer
MANY = 3  # different answers to one exercise in one run: they were tried out
KEYS = (
    "exercise", "kind", "outcome", "misconception", "seen", "expected", "note", "error", "checks",
    "answer", "points", "rubric",
)  # fmt: skip


@dataclass
class Lines:
    """What the checks wrote. by_exercise: in their order. unreadable: how many lines are none."""

    by_exercise: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    unreadable: int = 0


def read_lines(text: str) -> Lines:
    """Sort lines of JSON by exercise; what is no verdict is counted."""
    found = Lines()
    for line in filter(str.strip, text.splitlines()):
        entry = _entry(line)
        if entry is None:
            found.unreadable += 1
        else:
            found.by_exercise.setdefault(entry["exercise"], []).append(entry)
    return found


def _entry(line: str) -> dict[str, Any] | None:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    texts = ("exercise", "outcome", "seen", "expected", "note")
    if not isinstance(entry, dict) or not isinstance(entry.get("exercise"), str):
        return None
    if not all(isinstance(entry.get(name, ""), str) for name in texts):
        return None
    return entry if entry.get("outcome") in (*JUDGED, *MARKED) else None


def judgement(id: str, lines: list[dict[str, Any]]) -> tuple[dict[str, Any], list[str]]:
    """What the last check of an exercise comes to, and what is odd about its checks.

    Args:
        id: of an exercise of the book.
        lines: of its checks; none for an exercise that was never checked.
    """
    exercise = exercises()[id]
    last = lines[-1] if lines else {"exercise": id, "outcome": NOT_ATTEMPTED}
    odd: list[str] = []
    if exercise.kind in AGAIN and lines:
        last, said = _judged_again(exercise, last)
        odd += said
    elif last["outcome"] not in (MARKED if exercise.kind == "written" else JUDGED):
        odd.append(f'{id}: no check of this exercise says "{last["outcome"]}"')
        last = {"exercise": id, "outcome": ERROR, "note": "the verdict is none of this exercise's"}
    tried = {json.dumps(line["given"]) for line in lines if "given" in line}
    if exercise.kind in AGAIN and len(tried) >= MANY:
        odd.append(f"{id}: {len(tried)} different answers were tried in one run")
    checks = sum(line["outcome"] != NOT_ATTEMPTED for line in lines)
    return _complete(exercise, last, checks), odd


def _judged_again(exercise: Exercise, line: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The verdict of the grader's own process on the answer in a line."""
    if line["outcome"] == NOT_ATTEMPTED:
        return line, []
    if "given" not in line:
        if line["outcome"] != CORRECT:
            return line, []
        note = "its answer was not handed over, so it could not be judged again"
        return {**line, "outcome": ERROR, "note": note}, [f"{exercise.id}: {note}"]
    answer = read_back(line["given"])
    try:
        verdict = within(SECONDS, lambda: exercise.judge(answer))
    except Exception as error:  # an answer that no check would have let pass
        note = f"{type(error).__name__} when it was judged again"
        return {**line, "outcome": ERROR, "note": note}, [f"{exercise.id}: {note}"]
    said = []
    if verdict.outcome != line["outcome"]:
        said = [
            f'{exercise.id}: the notebook says "{line["outcome"]}", its answer is'
            f' "{verdict.outcome}"'
        ]
    return {**line, **verdict.data}, said


def _complete(exercise: Exercise, line: dict[str, Any], checks: int) -> dict[str, Any]:
    """A judgement with all its keys, whatever the line had."""
    found = {key: line.get(key) or "" for key in ("seen", "expected", "note")}
    misconception = line.get("misconception")
    written = line.get("answer")
    found["note"] = found["note"].removeprefix(exercise.explanation).strip()
    return {
        "exercise": exercise.id,
        "kind": exercise.kind,
        "outcome": line["outcome"],
        "misconception": misconception if isinstance(misconception, str) else None,
        **found,
        "error": "",
        "checks": checks,
        "answer": written if isinstance(written, str) else line.get("given"),
        "points": _points(line.get("points")),
        "rubric": line["rubric"] if isinstance(line.get("rubric"), list) else None,
    }


def _points(points: Any) -> dict[str, int] | None:
    if not isinstance(points, dict):
        return None
    made, of = points.get("made"), points.get("of")
    if type(made) is not int or type(of) is not int or not 0 <= made <= of:
        return None
    return {"made": made, "of": of}
