"""The cache on disk: the right targets for the right text, and a refusal for everything else."""

import json

import pytest
import torch
from cache_cases import (
    BLOCKS,
    POSITIONS,
    TEACHER,
    TEXT,
    VOCABULARY,
    K,
    contents,
    make_blocks,
    make_teacher,
    tokenizer,
)

from kdlib.data.blocks import Blocks
from kdlib.errors import UserError
from kdlib.losses.sparse import KINDS, top_k
from kdlib.teachers import cache_writer
from kdlib.teachers.cache_format import cache_contents, read_manifest
from kdlib.teachers.cache_reader import CachedTargets
from kdlib.teachers.cache_writer import write_cache


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
    assert manifest["tokens"] == TEXT.predicted_tokens == BLOCKS * POSITIONS - 8
    size = sum(file.stat().st_size for file in made.glob("*.safetensors"))
    assert manifest["bytes_per_token"] == pytest.approx(size / manifest["tokens"], abs=0.005)
    assert manifest["seconds"] > 0
    assert sum(shard["blocks"] for shard in manifest["shards"]) == BLOCKS


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
        {"configuration": "0" * 64},
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


def with_setting(name, value):
    teacher = make_teacher()
    setattr(teacher.config, name, value)
    return cache_contents(teacher, tokenizer(), TEXT, "sampled", K, temperature=1.0, seed=0)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("rope_parameters", {"rope_type": "default", "rope_theta": 500.0}),
        ("rms_norm_eps", 0.1),
        ("hidden_act", "relu"),
        ("final_logit_softcapping", 5.0),
        ("logits_scaling", 2.0),
        ("sliding_window", 4),
        ("layer_types", ["full_attention", "sliding_attention"]),
    ],
)
def test_equal_weights_with_other_settings_are_another_teacher(made, name, value):
    """Its weights are the same to the bit; what it computes is not."""
    other = with_setting(name, value)
    assert other.teacher == contents().teacher
    with pytest.raises(UserError, match="is for configuration "):
        CachedTargets(made, other, TEXT)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("_name_or_path", "elsewhere"),
        ("transformers_version", "4.0"),
        ("dtype", torch.bfloat16),
        ("id2label", {0: "good", 1: "bad"}),
    ],
)
def test_a_name_is_no_setting(name, value):
    assert with_setting(name, value) == contents()


def test_a_configuration_that_was_saved_and_read_is_the_same(tmp_path):
    teacher = make_teacher()
    teacher.config.save_pretrained(tmp_path)
    teacher.config = type(teacher.config).from_pretrained(tmp_path)
    made = cache_contents(teacher, tokenizer(), TEXT, "sampled", K, temperature=1.0, seed=0)
    assert made == contents()


def test_buffers_are_a_part_of_the_teacher():
    teacher = make_teacher()
    teacher.register_buffer("correction", torch.ones(()))
    made = cache_contents(teacher, tokenizer(), TEXT, "sampled", K, temperature=1.0, seed=0)
    assert made.teacher != contents().teacher


@pytest.mark.parametrize(("kind", "k"), [("top_k", VOCABULARY + 1), ("with_tail", VOCABULARY)])
def test_more_tokens_than_there_are_cannot_be_kept(kind, k):
    cache_contents(TEACHER, tokenizer(), TEXT, kind, k - 1, temperature=1.0, seed=0)
    cache_contents(
        TEACHER, tokenizer(), TEXT, "sampled", k, temperature=1.0, seed=0
    )  # draws may repeat
    with pytest.raises(UserError, match=f"targets.k: {k} is more than {kind} can keep.* {k - 1}$"):
        cache_contents(TEACHER, tokenizer(), TEXT, kind, k, temperature=1.0, seed=0)


def test_a_manifest_that_cannot_be_read(made):
    manifest = made / "manifest.json"
    as_read = json.loads(manifest.read_text())
    for text, message in (
        ("{", "is damaged"),
        ("[]", "is damaged"),
        (
            json.dumps(as_read | {"format": 1}),
            "has format 1, .* reads 3; delete it and make it again",
        ),
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
