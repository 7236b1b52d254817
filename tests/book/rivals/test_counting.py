"""The rival of the README's table that only counts: its number there, and what more text gives it."""

import re
from functools import cache
from pathlib import Path

import pytest

from kdlib.data.blocks import make_blocks
from kdlib.jobs.context import read_text
from kdlib.jobs.recipe_files import load_recipe
from kdlib.models.folders import POCKET_TEACHER, load_tokenizer
from kdlib.models.ngram import NGram
from kdlib.models.vocabularies import token_slots

README = (Path(__file__).parents[3] / "README.md").read_text("utf-8")


def in_table(row):
    """The README's numbers in this row: teacher, student, equal steps, equal compute, n-gram."""
    return [float(number) for number in re.search(rf"^{row} +(.*)$", README, re.M)[1].split()]


@cache
def text():
    return read_text(load_recipe("pocket"))


@cache
def blocks(part):
    tokenizer = load_tokenizer(POCKET_TEACHER)
    documents = {"lesson": text().seen, "all": text().splits.training, "test": text().test}[part]
    return make_blocks(documents, tokenizer.backend_tokenizer, 128, tokenizer.eos_token_id)


def counted(part, order):
    """Nats per token of the test by an n-gram of this part of the text."""
    lesson, test = blocks(part), blocks("test")
    table = NGram.fit(lesson.ids, lesson.mask, token_slots(load_tokenizer(POCKET_TEACHER)), order)
    return table.nll(test.ids, test.mask).sum() / test.predicted_tokens


def test_the_readmes_ngram_is_that_of_the_lesson():
    assert counted("lesson", 3) == pytest.approx(in_table("cross-entropy, nats/token")[4], abs=5e-4)


def test_who_has_all_the_text_can_count_it():
    """What the README says of a table of the text that the teacher read."""
    _, student, *_ = in_table("cross-entropy, nats/token")
    prose = " ".join(README.split())
    said = re.search(r"table of counts of \*all\* of it scores (\d\.\d+)", prose)[1]
    assert counted("all", 4) == pytest.approx(float(said), abs=5e-4)
    assert float(said) < student
