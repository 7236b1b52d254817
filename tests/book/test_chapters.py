"""Every chapter passes every gate."""

import build
import contents
import pytest
from gates import GATES
from gates.chapter import chapters

ALL = chapters()
FEWEST = 11


def test_the_book_is_there():
    """Without this, gates over no chapters would all be open."""
    numbers = [chapter.number for chapter in ALL]
    assert numbers == list(range(len(numbers)))
    assert len(numbers) >= FEWEST


@pytest.mark.parametrize("gate", GATES)
@pytest.mark.parametrize("chapter", ALL, ids=lambda chapter: chapter.source.stem)
def test_a_chapter_passes(chapter, gate):
    faults = GATES[gate](chapter)
    assert not faults, "\n".join(faults)


def test_the_folder_as_a_whole_agrees():
    """No notebook without a source, and an index of these chapters."""
    assert build.all_faults(contents.CHAPTERS) == []


def test_all_chapters_together_run_within_their_budget():
    assert sum(contents.read_seconds(contents.CHAPTERS).values()) <= 15 * 60
