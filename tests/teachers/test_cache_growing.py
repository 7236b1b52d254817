"""A cache that is stopped, extended, damaged or mended: what is in it is right, whoever reads."""

import pytest
import torch
from cache_cases import (
    BLOCKS,
    MORE,
    TEACHER,
    TEXT,
    Killed,
    contents,
    counted_passes,
    joined,
    killed_after,
)
from safetensors.torch import load_file, save_file

from kdlib.data.blocks import Blocks
from kdlib.errors import UserError
from kdlib.teachers import cache_format
from kdlib.teachers.cache_format import read_manifest
from kdlib.teachers.cache_reader import CachedTargets
from kdlib.teachers.cache_writer import write_cache


def test_a_maker_that_was_stopped_goes_on(tmp_path, small_shards, monkeypatch):
    folder = tmp_path / "cache"
    with monkeypatch.context() as patch, pytest.raises(Killed):
        killed_after(2, patch)
        write_cache(folder, contents(), TEACHER, TEXT)
    with pytest.raises(UserError, match=f"lacks 13 of the {BLOCKS} blocks.*`kdlib cache` adds"):
        CachedTargets(folder, contents(), TEXT)
    with monkeypatch.context() as patch:
        rows = counted_passes(patch)
        write_cache(folder, contents(), TEACHER, TEXT)
        assert len(rows) == BLOCKS - 10  # two shards of five stood already
    assert (
        len(CachedTargets(folder, contents(), TEXT)(torch.arange(BLOCKS), TEXT.ids).ids) == BLOCKS
    )


def test_a_maker_that_goes_on_opens_each_shard_once(made, monkeypatch):
    """Whatever the number of blocks: a search through all shards for each is a day's work."""
    opened, real = [], cache_format.safe_open
    monkeypatch.setattr(
        cache_format, "safe_open", lambda path, **named: opened.append(path) or real(path, **named)
    )
    write_cache(made, contents(), TEACHER, TEXT)
    assert len(opened) == len(set(opened)) == len(read_manifest(made)["shards"])


@pytest.mark.parametrize("killed_at", ["manifest.json", "0.safetensors"])
def test_a_maker_killed_at_its_first_file_goes_on(tmp_path, killed_at):
    folder = tmp_path / "cache"
    folder.mkdir()
    (folder / f".{killed_at}.draft").write_text("half a")
    write_cache(folder, contents(), TEACHER, TEXT)
    CachedTargets(folder, contents(), TEXT)


def test_more_text_is_added(made, monkeypatch):
    both = joined(TEXT, MORE)
    with pytest.raises(UserError, match=f"lacks {BLOCKS} of the {2 * BLOCKS} blocks"):
        CachedTargets(made, contents(), both)
    rows = counted_passes(monkeypatch)
    write_cache(made, contents(), TEACHER, both)
    assert len(rows) == BLOCKS
    CachedTargets(made, contents(), both)


@pytest.mark.parametrize("shards", [0, 1, 4])
def test_a_reader_whose_blocks_are_all_there_reads_on_while_others_are_added(
    made, monkeypatch, shards
):
    """At whatever shard the extension stands, or has died for good."""
    before = CachedTargets(made, contents(), TEXT)(torch.arange(BLOCKS), TEXT.ids)
    with pytest.raises(Killed):
        killed_after(shards, monkeypatch)
        write_cache(made, contents(), TEACHER, joined(TEXT, MORE))
    after = CachedTargets(made, contents(), TEXT)(torch.arange(BLOCKS), TEXT.ids)
    assert torch.equal(before.ids, after.ids)
    assert torch.equal(before.constant, after.constant)
    with pytest.raises(UserError, match=f"lacks {BLOCKS - 5 * shards} of the {BLOCKS} blocks"):
        CachedTargets(made, contents(), MORE)


def test_what_is_in_a_cache_does_not_depend_on_how_its_writer_ended(
    tmp_path, small_shards, monkeypatch
):
    """The blocks of a first writer that was stopped can be read, though it meant to write more."""
    folder = tmp_path / "cache"
    with pytest.raises(Killed):
        killed_after(2, monkeypatch)
        write_cache(folder, contents(), TEACHER, TEXT)
    first = TEXT.take(torch.arange(10))
    assert len(CachedTargets(folder, contents(), first)(torch.arange(10), first.ids).ids) == 10


def test_the_same_text_twice_is_asked_once(tmp_path, monkeypatch):
    twice = Blocks(TEXT.ids.repeat(2, 1), TEXT.mask.repeat(2, 1), bytes=1)
    rows = counted_passes(monkeypatch)
    write_cache(tmp_path / "cache", contents(), TEACHER, twice)
    assert len(rows) == BLOCKS
    targets = CachedTargets(tmp_path / "cache", contents(), twice)
    assert torch.equal(
        targets(torch.tensor([1]), TEXT.ids).ids, targets(torch.tensor([BLOCKS + 1]), TEXT.ids).ids
    )


def truncate(path):
    path.write_bytes(path.read_bytes()[:-3])


def flip_a_bit(path):
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def swap_payload(path):
    tensors = load_file(path)
    tensors["payload"] = tensors["payload"].flip(0)
    save_file(tensors, path)


@pytest.mark.parametrize("damage", [truncate, flip_a_bit, swap_payload, lambda path: path.unlink()])
def test_damage_is_found_and_mended(made, damage, monkeypatch):
    shard = sorted(made.glob("*.safetensors"))[1]
    damage(shard)
    with pytest.raises(UserError, match=f"{shard.name} is missing or damaged"):
        CachedTargets(made, contents(), TEXT)
    rows = counted_passes(monkeypatch)
    write_cache(made, contents(), TEACHER, TEXT)
    assert 0 < len(rows) <= 5
    CachedTargets(made, contents(), TEXT)
