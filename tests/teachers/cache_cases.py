"""A small teacher, its text, and what a cache of its targets holds."""

import dataclasses
from types import SimpleNamespace

import torch

from kdlib.data.blocks import Blocks
from kdlib.models.from_scratch import ModelSize, new_model
from kdlib.models.frozen import freeze
from kdlib.teachers import cache_writer
from kdlib.teachers.cache_format import cache_contents
from kdlib.teachers.cache_writer import _packed, _write_shard

BLOCKS, POSITIONS, VOCABULARY, K = 23, 12, 50, 6


def make_teacher(seed=0):
    return freeze(new_model(ModelSize(16, 2, 2), VOCABULARY, 64, seed=seed))


def tokenizer(text="a tokenizer"):
    return SimpleNamespace(backend_tokenizer=SimpleNamespace(to_str=lambda: text))


def make_blocks(seed=0, number=BLOCKS):
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(0, VOCABULARY, (number, POSITIONS + 1), generator=generator)
    mask = torch.ones_like(ids)
    mask[-1, 5:] = 0
    return Blocks(ids, mask, bytes=1)


def joined(one, other):
    return Blocks(torch.cat([one.ids, other.ids]), torch.cat([one.mask, other.mask]), bytes=1)


TEACHER, TEXT, MORE = make_teacher(), make_blocks(), make_blocks(seed=5)


def contents(kind="sampled", **changes):
    made = cache_contents(TEACHER, tokenizer(), TEXT, kind, K, temperature=1.0, seed=0)
    return dataclasses.replace(made, **changes)


class Killed(Exception):
    pass


def killed_after(shards, monkeypatch):
    """Let the writer die when it has written so many shards."""
    write, written = _write_shard, []

    def write_or_die(*args):
        if len(written) == shards:
            raise Killed
        written.append(args)
        return write(*args)

    monkeypatch.setattr(cache_writer, "_write_shard", write_or_die)


def counted_passes(monkeypatch):
    """The blocks that the teacher reads from now on."""
    packed, rows = _packed, []
    monkeypatch.setattr(
        cache_writer,
        "_packed",
        lambda teacher, asked, c: rows.extend(asked.ids) or packed(teacher, asked, c),
    )
    return rows
