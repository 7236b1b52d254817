"""A cache for records, which are of many lengths: what counts is as if each were read alone."""

import pytest
import torch
from cache_cases import POSITIONS, TEACHER, TEXT, contents

from kdlib.data.blocks import Blocks
from kdlib.teachers import cache_writer
from kdlib.teachers.cache_format import read_manifest
from kdlib.teachers.cache_reader import CachedTargets
from kdlib.teachers.cache_writer import write_cache

LENGTHS = torch.arange(len(TEXT)) * 5 % (POSITIONS - 1) + 3  # 3 to 13, in no order
KINDS = ("top_k", "with_tail", "sampled")


def records():
    """Of these lengths; the answers are all but the first two tokens."""
    place = torch.arange(POSITIONS + 1)
    mask = (place < LENGTHS[:, None]).long()
    ids = torch.where(mask.bool(), TEXT.ids, 7)
    return Blocks(ids, mask, bytes=0, answer=(mask * (place > 1)).int())


def cached(folder, kind, blocks):
    write_cache(folder, contents(kind), TEACHER, blocks)
    return CachedTargets(folder, contents(kind), blocks)(torch.arange(len(blocks)), blocks.ids)


def same(targets, others):
    """Whether both say the same, up to the digits in which a cache keeps it."""
    for one, other in zip(targets, others):
        if one is not None:
            torch.testing.assert_close(one, other, rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_record_is_taught_does_not_depend_on_the_others(tmp_path, kind):
    blocks = records()
    together = cached(tmp_path / "all", kind, blocks)
    for row, length in enumerate(LENGTHS.tolist()):
        alone = cached(tmp_path / str(row), kind, blocks.take(torch.tensor([row])))
        same(
            together.map(lambda values: values[row, : length - 1]),  # noqa: B023
            alone.map(lambda values: values[0, : length - 1]),  # noqa: B023
        )


@pytest.mark.parametrize("kind", KINDS)
def test_what_stands_on_padding_is_finite(tmp_path, kind):
    for values in cached(tmp_path, kind, records()):
        assert values is None or torch.isfinite(values.float()).all()


def test_a_record_is_taught_as_a_text_of_the_same_tokens_is(tmp_path):
    blocks = records()
    whole = blocks.take((LENGTHS == POSITIONS + 1).nonzero()[:, 0])
    assert len(whole) > 1
    text = Blocks(whole.ids, whole.mask, bytes=0)
    same(cached(tmp_path / "records", "sampled", whole), cached(tmp_path / "text", "sampled", text))


def test_the_teacher_reads_little_padding(tmp_path, monkeypatch):
    read, real = [], TEACHER.forward
    monkeypatch.setattr(cache_writer, "PASS_TOKENS", 2 * POSITIONS)
    monkeypatch.setattr(
        TEACHER,
        "forward",
        lambda input_ids, **how: read.append(input_ids) or real(input_ids, **how),
    )
    cached(tmp_path, "top_k", records())
    tokens = sum(ids.numel() for ids in read)
    assert LENGTHS.sum() <= tokens < 1.25 * LENGTHS.sum() < len(LENGTHS) * (POSITIONS + 1)


def test_several_shards_and_their_answers_counted(tmp_path, small_shards):
    blocks = records()
    cached(tmp_path, "sampled", blocks)
    manifest = read_manifest(tmp_path)
    assert len(manifest["shards"]) > 1
    assert manifest["tokens"] == int((LENGTHS - 2).sum())
