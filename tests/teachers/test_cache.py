"""The cache on disk: the right targets for the right text, and a refusal for everything else."""

import dataclasses
import json
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file, save_file

from kdlib.data.blocks import Blocks
from kdlib.errors import UserError
from kdlib.losses.sparse import KINDS, top_k
from kdlib.models.from_scratch import ModelSize, new_model
from kdlib.models.frozen import freeze
from kdlib.teachers import cache_format, cache_writer
from kdlib.teachers.cache_format import cache_contents, read_manifest
from kdlib.teachers.cache_reader import CachedTargets
from kdlib.teachers.cache_writer import _packed, _write_shard, write_cache

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


TEACHER, TEXT = make_teacher(), make_blocks()


def contents(kind="sampled", **changes):
    made = cache_contents(TEACHER, tokenizer(), TEXT, kind, K, temperature=1.0, seed=0)
    return dataclasses.replace(made, **changes)


@pytest.fixture
def small_shards(monkeypatch):
    monkeypatch.setattr(cache_writer, "SHARD_TOKENS", 5 * POSITIONS)
    monkeypatch.setattr(cache_writer, "PASS_TOKENS", 2 * POSITIONS)


@pytest.fixture
def made(tmp_path, small_shards):
    write_cache(tmp_path / "cache", contents(), TEACHER, TEXT)
    return tmp_path / "cache"


def log_probabilities(ids, temperature=1.0):
    with torch.no_grad():
        return (TEACHER(input_ids=ids).logits[:, :-1].double() / temperature).log_softmax(-1)


@pytest.mark.parametrize("kind", KINDS)
def test_the_targets_are_the_teachers(tmp_path, small_shards, kind):
    """As good as those made in memory, at a temperature other than 1, in any order of rows."""
    wanted = contents(kind, temperature=2.0)
    write_cache(tmp_path / "cache", wanted, TEACHER, TEXT)
    rows = torch.tensor([22, 3, 3, 0, 11])
    read = CachedTargets(tmp_path / "cache", wanted, TEXT)(rows, TEXT.ids[rows])
    log_p = log_probabilities(TEXT.ids[rows], temperature=2.0)
    log_q = torch.randn(VOCABULARY, generator=torch.Generator().manual_seed(1)).log_softmax(-1)
    assert read.ids.shape == (5, POSITIONS, K)
    if kind == "sampled":
        exact = -(log_p.exp() * log_p).sum(-1)
        torch.testing.assert_close(-read.constant, exact.float(), atol=2e-3, rtol=0)
        drawn = read.ids.flatten(0, 1)
        assert (log_p.flatten(0, 1).gather(-1, drawn) > -torch.inf).all()
    else:
        expected = KINDS[kind](log_p, K).divergence(log_q.double().expand_as(log_p))
        ours = read.divergence(log_q.expand(*log_p.shape))
        torch.testing.assert_close(ours, expected.float(), atol=2e-3, rtol=2e-3)


def test_draws_are_the_teachers_on_average(tmp_path):
    """Over all positions of a text, each token's share of the draws is the teacher's mean probability."""
    text = make_blocks(number=300)
    wanted = contents()
    write_cache(tmp_path / "cache", wanted, TEACHER, text)
    rows = torch.arange(300)
    drawn = CachedTargets(tmp_path / "cache", wanted, text)(rows, text.ids).ids
    p = log_probabilities(text.ids).exp().flatten(0, 1)
    share = torch.bincount(drawn.flatten(), minlength=VOCABULARY) / drawn.numel()
    spread = (p * (1 - p)).mean(0).sqrt() / drawn.numel() ** 0.5
    assert ((share - p.mean(0)) / spread).abs().max() < 4  # of 50 numbers; the seed is fixed


def test_a_block_is_found_by_its_text(made):
    """The same blocks in another order get the same targets, each its own."""
    order = torch.randperm(BLOCKS, generator=torch.Generator().manual_seed(2))
    shuffled = Blocks(TEXT.ids[order], TEXT.mask[order], bytes=1)
    straight = CachedTargets(made, contents(), TEXT)(order, TEXT.ids[order])
    found = CachedTargets(made, contents(), shuffled)(torch.arange(BLOCKS), shuffled.ids)
    assert torch.equal(straight.ids, found.ids)
    assert torch.equal(straight.constant, found.constant)
    assert not torch.equal(found.ids, found.ids.roll(1, 0))


def test_draws_do_not_depend_on_how_the_work_was_cut(made, tmp_path, monkeypatch):
    monkeypatch.setattr(cache_writer, "SHARD_TOKENS", 10**6)
    whole = tmp_path / "whole"
    write_cache(whole, contents(), TEACHER, TEXT)
    assert len(read_manifest(whole)["shards"]) == 1 < len(read_manifest(made)["shards"])
    rows = torch.arange(BLOCKS)
    one, other = (
        CachedTargets(folder, contents(), TEXT)(rows, TEXT.ids) for folder in (made, whole)
    )
    # Products of batches of another size differ in a last bit, which can turn one draw in a thousand.
    assert (one.ids != other.ids).float().mean() < 1e-2
    assert torch.allclose(one.constant, other.constant, atol=4e-3)


def test_prefetched_rows_are_the_rows(made):
    targets = CachedTargets(made, contents(), TEXT)
    rows = torch.tensor([4, 9, 4])
    cold = targets(rows, TEXT.ids[rows])
    targets.prefetch(torch.tensor([9, 4, 20]))
    warm = targets(rows, TEXT.ids[rows])
    assert torch.equal(cold.ids, warm.ids)
    assert torch.equal(cold.constant, warm.constant)


def test_manifest_counts_real_tokens_and_all_bytes(made):
    manifest = read_manifest(made)
    assert manifest["complete"] is True
    assert manifest["tokens"] == TEXT.predicted_tokens == BLOCKS * POSITIONS - 8
    size = sum(file.stat().st_size for file in made.glob("*.safetensors"))
    assert manifest["bytes_per_token"] == pytest.approx(size / manifest["tokens"], abs=0.005)
    assert manifest["seconds"] > 0
    assert sum(shard["blocks"] for shard in manifest["shards"]) == BLOCKS


class Killed(Exception):
    pass


def killed_after(shards, monkeypatch):
    write, written = _write_shard, []

    def write_or_die(*args):
        if len(written) == shards:
            raise Killed
        written.append(args)
        return write(*args)

    monkeypatch.setattr(cache_writer, "_write_shard", write_or_die)


def counted_passes(monkeypatch):
    packed, rows = _packed, []
    monkeypatch.setattr(
        cache_writer, "_packed", lambda teacher, ids, c: rows.extend(ids) or packed(teacher, ids, c)
    )
    return rows


def test_a_maker_that_was_stopped_goes_on(tmp_path, small_shards, monkeypatch):
    folder = tmp_path / "cache"
    with monkeypatch.context() as patch, pytest.raises(Killed):
        killed_after(2, patch)
        write_cache(folder, contents(), TEACHER, TEXT)
    with pytest.raises(UserError, match="not complete"):
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
    more = make_blocks(seed=5)
    both = Blocks(torch.cat([TEXT.ids, more.ids]), torch.cat([TEXT.mask, more.mask]), bytes=1)
    with pytest.raises(UserError, match=f"lacks {BLOCKS} of the {2 * BLOCKS} blocks"):
        CachedTargets(made, contents(), both)
    rows = counted_passes(monkeypatch)
    write_cache(made, contents(), TEACHER, both)
    assert len(rows) == BLOCKS
    CachedTargets(made, contents(), both)


def test_the_same_text_twice_is_asked_once(tmp_path, monkeypatch):
    twice = Blocks(TEXT.ids.repeat(2, 1), TEXT.mask.repeat(2, 1), bytes=1)
    rows = counted_passes(monkeypatch)
    write_cache(tmp_path / "cache", contents(), TEACHER, twice)
    assert len(rows) == BLOCKS
    targets = CachedTargets(tmp_path / "cache", contents(), twice)
    assert torch.equal(
        targets(torch.tensor([1]), TEXT.ids).ids, targets(torch.tensor([BLOCKS + 1]), TEXT.ids).ids
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"teacher": "another"},
        {"tokenizer": "another"},
        {"kind": "top_k"},
        {"k": K + 1},
        {"temperature": 2.0},
        {"positions": POSITIONS + 1},
        {"seed": 1},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_what_does_not_match_is_refused_by_name(made, changes):
    field = next(iter(changes))
    for use in (
        lambda: CachedTargets(made, contents(**changes), TEXT),
        lambda: write_cache(made, contents(**changes), TEACHER, TEXT),
    ):
        with pytest.raises(UserError, match=f"is for {field} ") as refusal:
            use()
        assert "\n" not in str(refusal.value)


def test_hashes_tell_teachers_and_tokenizers_apart():
    def of(teacher, text):
        return cache_contents(teacher, tokenizer(text), TEXT, "sampled", K, temperature=1.0, seed=0)

    one, again = of(TEACHER, "a"), of(make_teacher(), "a")
    assert one == again
    assert of(make_teacher(seed=1), "a").teacher != one.teacher
    assert of(TEACHER, "b").tokenizer != one.tokenizer


@pytest.mark.parametrize(("kind", "k"), [("top_k", VOCABULARY + 1), ("with_tail", VOCABULARY)])
def test_more_tokens_than_there_are_cannot_be_kept(kind, k):
    cache_contents(TEACHER, tokenizer(), TEXT, kind, k - 1, temperature=1.0, seed=0)
    cache_contents(
        TEACHER, tokenizer(), TEXT, "sampled", k, temperature=1.0, seed=0
    )  # draws may repeat
    with pytest.raises(UserError, match=f"targets.k: {k} is more than {kind} can keep.* {k - 1}$"):
        cache_contents(TEACHER, tokenizer(), TEXT, kind, k, temperature=1.0, seed=0)


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


def test_a_manifest_that_cannot_be_read(made):
    manifest = made / "manifest.json"
    as_read = json.loads(manifest.read_text())
    for text, message in (
        ("{", "is damaged"),
        ("[]", "is damaged"),
        (json.dumps(as_read | {"format": 99}), "has format 99, this version reads 1"),
    ):
        manifest.write_text(text)
        with pytest.raises(UserError, match=message):
            read_manifest(made)


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "letter.txt").write_text("keep me")
    for use in (
        lambda: write_cache(tmp_path, contents(), TEACHER, TEXT),
        lambda: CachedTargets(tmp_path, contents(), TEXT),
    ):
        with pytest.raises(UserError, match="is no cache"):
            use()
    assert [file.name for file in tmp_path.iterdir()] == ["letter.txt"]


def test_top_k_of_a_cached_block_is_independent_of_its_neighbours(made, tmp_path):
    """Causal teachers look left only: a block's targets are those of the block alone."""
    wanted = contents("top_k")
    write_cache(tmp_path / "top", wanted, TEACHER, TEXT)
    alone = top_k(log_probabilities(TEXT.ids[7:8]), K)
    read = CachedTargets(tmp_path / "top", wanted, TEXT)(torch.tensor([7]), TEXT.ids[7:8])
    torch.testing.assert_close(
        read.weights.sort(-1).values, alone.weights.float().sort(-1).values, atol=1e-3, rtol=1e-3
    )
