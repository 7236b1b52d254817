"""A run on a text that stays on the disk is the run on the same text in memory."""

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from filelock import FileLock
from little_runs import WORDS, lasting, little, paragraphs, run

from kdlib.data import encoding, portions, stored_text
from kdlib.data.stored_blocks import is_stored
from kdlib.data.tokenizer import train_tokenizer
from kdlib.files import CACHE_VARIABLE
from kdlib.jobs import counting, tokenising
from kdlib.jobs.context import RunModels, read_text
from kdlib.jobs.counting import _stretches, count_blocks
from kdlib.jobs.data_settings import Data
from kdlib.jobs.on_policy_settings import OnPolicy
from kdlib.jobs.recipe import Recipe, TargetSettings
from kdlib.models.folders import load_tokenizer, wrap_tokenizer
from kdlib.models.ngram import NGram

ROOM = Path(__file__).parent


@pytest.fixture
def everything_is_large(monkeypatch, tmp_path):
    monkeypatch.setattr(tokenising, "_recent", type(tokenising._recent)())
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setattr(stored_text, "LARGE", 0)
    monkeypatch.setattr(encoding, "BATCH", 1000)
    monkeypatch.setattr(encoding, "STRETCH", 400)
    monkeypatch.setattr(encoding, "OVERLAP", 100)
    monkeypatch.setattr(portions, "PORTION", 1500)


def letters(folder):
    folder.mkdir()
    for n in range(50):
        (folder / f"{n}.txt").write_text("\n\n".join(paragraphs(3 + n % 5 * 9, seed=n)))
    return folder


KINDS = {
    "exact": {},
    "sampled": {"targets": TargetSettings(kind="sampled", k=4)},
    "on-policy": {"on_policy": OnPolicy(share=0.5, prompt_tokens=4, new_tokens=8)},
}


@pytest.mark.parametrize(
    ("kind", "as_folder"),
    [("exact", True), ("exact", False), ("sampled", True), ("on-policy", True)],
)
def test_the_report_is_the_same(tmp_path, monkeypatch, request, kind, as_folder):
    text = tmp_path / "text"
    if as_folder:
        letters(text)
    else:
        text.write_text("\n\n".join(paragraphs(300)))
    asked = KINDS[kind]
    monkeypatch.setattr(tokenising, "_recent", type(tokenising._recent)())
    here = run(little(text, **asked), tmp_path / "here")
    request.getfixturevalue("everything_is_large")
    there = run(little(text, **asked), tmp_path / "there")
    assert dict(lasting(there)) == dict(lasting(here))
    folders = [path for path in (tmp_path / "cache" / "tokens").iterdir() if path.is_dir()]
    assert len(folders) == 4  # what the student reads, all of the training, validation and test
    # A second run on this text makes no token anew.
    monkeypatch.setattr(tokenising, "_recent", type(tokenising._recent)())
    monkeypatch.setattr(tokenising.Preparation, "finish", None)
    blocks = RunModels(little(text), tmp_path / "there").blocks
    tokenizer = load_tokenizer(tmp_path / "there" / "teacher")
    assert is_stored(blocks(read_text(little(text)).seen, tokenizer))


def test_another_tokenizer_or_separator_has_other_shards(everything_is_large, tmp_path):

    documents = read_text(little(letters(tmp_path / "text"))).seen
    for vocabulary, separator in ((280, "auto"), (270, "auto"), (280, "a")):
        made = wrap_tokenizer(train_tokenizer(documents, vocabulary), 64)
        for block in (16, 8):  # the length of the blocks does not matter
            data = Data(block=block, separator=separator)
            RunModels(Recipe(data=data), tmp_path / "run").blocks(documents, made)
    made = [path for path in (tmp_path / "cache" / "tokens").iterdir() if path.is_dir()]
    assert len(made) == 3


def test_a_bar_tells_how_far_it_is(everything_is_large, tmp_path, capsys):

    documents = read_text(little(letters(tmp_path / "text"))).seen
    made = wrap_tokenizer(train_tokenizer(documents, 280), 64)
    RunModels(Recipe(data=Data(block=16)), tmp_path / "run").blocks(documents, made)
    assert "tokenising" in capsys.readouterr().err


def test_who_prepares_the_same_text_is_waited_for(tmp_path, monkeypatch):
    first, second = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")
    first.acquire()
    said = []
    monkeypatch.setattr(tokenising, "show", lambda text: (said.append(text), first.release()))
    tokenising._acquire(second)
    assert second.is_locked and len(said) == 1 and "waiting" in said[0]
    second.release()


def test_a_table_counts_stretches_from_all_over_a_text(everything_is_large, tmp_path, monkeypatch):

    documents = read_text(little(letters(tmp_path / "text"))).seen
    made = wrap_tokenizer(train_tokenizer(documents, 280), 64)
    blocks = RunModels(Recipe(data=Data(block=16)), tmp_path / "run").blocks(documents, made)
    whole, share = count_blocks(blocks, 280)
    assert whole.entries == NGram.fit(blocks.ids[:], blocks.mask[:], 280).entries and share == 1
    monkeypatch.setattr(counting, "COUNTED", 2000)
    monkeypatch.setattr(counting, "STRETCHES", 5)
    some, share = count_blocks(blocks, 280)
    assert 0.9 * 2000 < share * blocks.ids.numel() <= 2000
    assert some.entries < whole.entries


@pytest.mark.parametrize(
    ("blocks", "wanted"), [(10, 10), (10, 3), (1000, 999), (1000, 64), (77, 1)]
)
def test_stretches_are_of_the_text_and_none_is_counted_twice(blocks, wanted):
    rows = torch.cat([torch.arange(blocks)[rows] for rows in _stretches(blocks, wanted)])
    assert 0 < len(rows) <= max(wanted, 1) and len(rows.unique()) == len(rows)
    assert 0 <= rows.min() and rows.max() < blocks
    assert len(rows) == 1 or (rows.min() == 0 and rows.max() == blocks - 1)


# --- Memory -------------------------------------------------------------------------------------

# A process of its own, with small limits: what it takes for four times the text is what it takes.
PREPARE = """
import sys
from kdlib.data import encoding, portions, shingle_index, stored_text
from kdlib.jobs.context import RunModels, read_text
from kdlib.jobs.data_settings import Data
from kdlib.jobs.recipe import Recipe
from kdlib.machine.devices import peak_memory_bytes
from kdlib.models.folders import load_tokenizer

stored_text.LARGE, stored_text.STEP = 2**18, 2**14
encoding.BATCH, encoding.STRETCH, portions.PORTION = 2**16, 2**14, 2**18
shingle_index.TOGETHER = 2**14
recipe = Recipe(data=Data(text=sys.argv[1], fraction=1.0))
text = read_text(recipe)
text.overlap
models = RunModels(recipe, sys.argv[2])
blocks = models.blocks(text.seen, load_tokenizer(models.teacher))
peak = peak_memory_bytes()  # before the tokens are counted, which maps all of their file
print(blocks.predicted_tokens, peak)
"""


def written(folder, size):
    """A text of random words: half of it one file, the rest many."""
    folder.mkdir()
    draw = random.Random(size)
    for n in range(1 + size // 2 // 2**16):
        length = 2**16 if n else size // 2
        words = "".join(
            f"{draw.choice(WORDS)} {draw.randrange(10**6)} " for _ in range(length // 13)
        )
        (folder / f"{n}.txt").write_text(words)
    return folder


def prepare(text, cache):
    """Tokens of a text, and the most memory that their preparation took, in bytes."""
    done = subprocess.run(
        [sys.executable, "-c", PREPARE, text, cache],
        env=os.environ | {CACHE_VARIABLE: str(cache), "TOKENIZERS_PARALLELISM": "false"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    tokens, peak = map(int, done.stdout.split()[-2:])
    return tokens, peak


def test_memory_does_not_grow_with_the_text(tmp_path):
    """Six megabytes more took 7 MB more here; on the road of small texts, 160 MB."""
    small, large = (
        prepare(written(tmp_path / f"text{size}", size), tmp_path / f"cache{size}")
        for size in (2**21, 2**23)
    )
    assert large[0] > 3 * small[0]
    assert large[1] - small[1] < 2**24
