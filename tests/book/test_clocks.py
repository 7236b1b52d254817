"""What a chapter asserts rests on no time: the tests' kernels have unsteady clocks, and these only."""

import re
from pathlib import Path

import pytest
from gates.chapter import chapters

CLOCK = Path(__file__).parents[1] / "unsteady_clock.py"


@pytest.mark.parametrize("chapter", chapters(), ids=lambda chapter: chapter.source.stem)
def test_a_chapter_reads_no_clock_but_those(chapter):
    source = chapter.source.read_text("utf-8")
    unsteady = set(re.findall(r'"(\w+)"', CLOCK.read_text("utf-8")))
    assert set(re.findall(r"\btime\.(\w+)", source)) <= unsteady
    assert not re.search(r"\btimeit\b|\bdatetime\b|from time import", source)
