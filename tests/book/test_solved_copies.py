"""Each chapter with its exercises solved runs to its end, and every check in it says "correct"."""

import json

import build
import pytest
from gates.chapter import chapters

from kdlib.exercises import marked_cells, solve
from kdlib.exercises.base import VERDICT_FILE


def verdicts(source, folder):
    """Runs a solved copy of a chapter; returns {exercise: outcome}, in the order of the checks."""
    solved = folder / source.name
    solved.write_text(solve(source.read_text("utf-8")), "utf-8")
    lines = folder / "verdicts.jsonl"
    lines.touch()
    build.run(build.read_source(solved), solved, environment={VERDICT_FILE: str(lines)})
    entries = [json.loads(line) for line in lines.read_text("utf-8").splitlines()]
    return {entry["exercise"]: entry["outcome"] for entry in entries}


@pytest.mark.parametrize("chapter", chapters(), ids=lambda chapter: chapter.source.stem)
def test_a_solved_chapter_is_correct_throughout(chapter, tmp_path):
    asked = marked_cells(chapter.source.read_text("utf-8"))
    assert verdicts(chapter.source, tmp_path) == dict.fromkeys(asked, "correct")


def test_a_wrong_reference_solution_is_seen(tmp_path, monkeypatch):
    from kdlib import exercises
    from kdlib.exercises import solved

    right, wrong = [each for each in exercises.chapters()[1] if each.kind == "code"][:2]

    class Spoilt:
        """An exercise whose reference is still its stub."""

        def cell(self, solved):
            return wrong.cell(solved=False)

    def of(id):
        return Spoilt() if id == wrong.id else exercises.exercise(id)

    monkeypatch.setattr(solved, "exercise", of)
    source = tmp_path / "source" / "00_made_up.py"
    source.parent.mkdir()
    cells = ["import torch, math", "from kdlib.exercises import exercise"]
    cells += [right.cell(), wrong.cell()]
    source.write_text("".join(f"# %%\n{cell}\n\n" for cell in cells), "utf-8")
    assert verdicts(source, tmp_path) == {right.id: "correct", wrong.id: "not attempted"}
