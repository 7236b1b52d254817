"""Each chapter with its exercises solved runs to its end, and every check in it says "correct".

It does so by clocks that are unsteady: what a chapter asserts must not rest on a time.
"""

import json
import re
import shutil
from pathlib import Path

import build
import pytest
from gates.chapter import chapters

from kdlib.exercises import marked_cells, solve
from kdlib.exercises.kinds.base import VERDICT_FILE

CLOCK = Path(__file__).with_name("unsteady_clock.py")


@pytest.fixture(autouse=True)
def unsteady_clock(tmp_path, monkeypatch):
    """What stands in this folder of its profile, a kernel runs before the first cell."""
    startup = tmp_path / "ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    shutil.copy(CLOCK, startup)
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))


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


@pytest.mark.parametrize("chapter", chapters(), ids=lambda chapter: chapter.source.stem)
def test_a_chapter_reads_no_clock_but_those(chapter):
    source = chapter.source.read_text("utf-8")
    unsteady = set(re.findall(r'"(\w+)"', CLOCK.read_text("utf-8")))
    assert set(re.findall(r"\btime\.(\w+)", source)) <= unsteady
    assert not re.search(r"\btimeit\b|\bdatetime\b|from time import", source)


def made_up(folder, *cells):
    source = folder / "source" / "00_made_up.py"
    source.parent.mkdir()
    source.write_text("".join(f"# %%\n{cell}\n\n" for cell in cells), "utf-8")
    return source


def test_what_rests_on_a_clock_is_seen(tmp_path):
    work = """import time

def seconds():
    start = time.process_time()
    sum(range(300_000))
    return time.process_time() - start

taken = [seconds() for _ in range(8)]"""
    source = made_up(tmp_path, work, "assert max(taken) < 2 * min(taken)")
    with pytest.raises(build.BuildError, match="cell 2 of 2: AssertionError"):
        verdicts(source, tmp_path)


def test_a_wrong_reference_solution_is_seen(tmp_path, monkeypatch):
    from kdlib import exercises
    from kdlib.exercises.notebooks import solved

    right, wrong = [each for each in exercises.chapters()[1] if each.kind == "code"][:2]

    class Spoilt:
        """An exercise whose reference is still its stub."""

        def cell(self, solved):
            return wrong.cell(solved=False)

    def of(id):
        return Spoilt() if id == wrong.id else exercises.exercise(id)

    monkeypatch.setattr(solved, "exercise", of)
    imports = "import torch, math\nfrom kdlib.exercises import exercise"
    source = made_up(tmp_path, imports, right.cell(), wrong.cell())
    assert verdicts(source, tmp_path) == {right.id: "correct", wrong.id: "not attempted"}
