"""An index of a large text, in shares and on the disk, knows what one in memory knows."""

import random

import pytest

from kdlib.data import paragraphs, shingle_index, stored_text
from kdlib.data.copies import overlap, without_near_copies
from kdlib.data.document import Document
from kdlib.files import CACHE_VARIABLE


def words(number, count):
    return [f"w{word}" for word in random.Random(number).choices(range(3000), k=count)]


def some_documents(seed):
    """Of all lengths, and with long passages in common."""
    draw, found = random.Random(seed), []
    for n in range(60):
        own = words(n, draw.choice([3, 8, 40, 300, 2000]))
        borrowed = words(draw.randrange(60), 150)
        found.append(Document(str(n), " ".join(own + borrowed * draw.randint(0, 2))))
    return found


@pytest.mark.parametrize("seed", range(6))
def test_on_the_disk_and_in_memory(seed, monkeypatch, tmp_path):
    documents = some_documents(seed)
    training, held_out = documents[:40], documents[40:]
    here = without_near_copies(training, held_out), overlap(training, held_out, 30)
    assert here[0][1] and here[1].share > 0
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setattr(stored_text, "LARGE", 0)
    monkeypatch.setattr(shingle_index, "TOGETHER", 500)
    there = without_near_copies(training, held_out), overlap(training, held_out, 30)
    assert there == here
    assert list((tmp_path / "cache").iterdir()) == []  # the files have no names


def test_a_text_in_parts_is_compared_as_a_whole(monkeypatch):
    documents = some_documents(1)
    here = (
        without_near_copies(documents[:40], documents[40:]),
        overlap(documents[:40], documents[40:]),
    )
    monkeypatch.setattr(paragraphs, "PART", 64)
    there = (
        without_near_copies(documents[:40], documents[40:]),
        overlap(documents[:40], documents[40:]),
    )
    assert there == here
