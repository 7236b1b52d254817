"""A cache from another engine's log-probabilities is the teacher's own, as far as these go."""

import json

import pytest
import torch
from cache_cases import BLOCKS, POSITIONS, TEXT, VOCABULARY, K
from scored_cases import TEACHER, WANTED, answers, scored, sharp, write

from kdlib.errors import UserError
from kdlib.teachers.cache_format import read_manifest
from kdlib.teachers.cache_from_logprobs import (
    distance_from_teacher,
    open_scored_file,
    write_cache_from_logprobs,
)
from kdlib.teachers.cache_reader import CachedTargets
from kdlib.teachers.cache_writer import write_cache

ROWS = torch.arange(BLOCKS)


def make(folder, lines, teacher=TEACHER):
    found = open_scored_file(write(folder.with_suffix(".jsonl"), lines), TEXT, K, VOCABULARY)
    distance = distance_from_teacher(found, teacher, TEXT)
    return write_cache_from_logprobs(folder, WANTED, found, TEXT, distance)


def targets(folder):
    return CachedTargets(folder, WANTED, TEXT)(ROWS, TEXT.ids)


def payloads(folder):
    return [shard["sha256"] for shard in read_manifest(folder)["shards"]]


def test_it_is_the_teachers_own_cache(tmp_path, small_shards):
    """The tokens exactly; their weights and the tail, 1 less the kept mass, to float16's digits."""
    make(tmp_path / "theirs", answers())
    write_cache(tmp_path / "own", WANTED, TEACHER, TEXT)
    own, theirs = targets(tmp_path / "own"), targets(tmp_path / "theirs")
    assert torch.equal(own.ids, theirs.ids)
    assert torch.allclose(own.weights, theirs.weights, rtol=2e-3, atol=1e-6)
    assert (own.tail / theirs.tail - 1).abs().max() < 2e-3
    log_q = torch.randn(VOCABULARY, generator=torch.Generator().manual_seed(3)).log_softmax(-1)
    losses = [t.divergence(log_q.expand(BLOCKS, POSITIONS, -1)) for t in (own, theirs)]
    assert torch.allclose(*losses, atol=2e-3)


def test_positions_are_where_they_belong(tmp_path):
    """Each row of the cache is of the token that follows, as a teacher that is asked directly says."""
    make(tmp_path / "theirs", answers())
    with torch.no_grad():
        p = TEACHER(input_ids=TEXT.ids).logits[:, :-1].softmax(-1)
    read = targets(tmp_path / "theirs")
    assert (read.weights - p.gather(-1, read.ids)).abs().max() < 1e-3
    assert (read.weights - p.roll(1, 1).gather(-1, read.ids)).abs().max() > 1e-2


def test_the_order_of_lines_and_how_many_choices_a_line_has_do_not_matter(tmp_path, small_shards):
    lines = answers()
    make(tmp_path / "straight", lines)
    make(tmp_path / "reversed", lines[::-1])
    together = [
        {"choices": [choice for line in lines[first : first + 4] for choice in line["choices"]]}
        for first in range(0, BLOCKS, 4)
    ]
    make(tmp_path / "together", together)
    assert len(payloads(tmp_path / "straight")) > 1
    for other in ("reversed", "together"):
        assert payloads(tmp_path / other) == payloads(tmp_path / "straight")


def test_the_manifest_says_where_it_comes_from(tmp_path):
    make(tmp_path / "theirs", answers())
    said = read_manifest(tmp_path / "theirs")["logprobs"]
    with torch.no_grad():
        p = TEACHER(input_ids=TEXT.ids).logits[:, :-1].double().softmax(-1)
    tail = (1 - p.topk(K).values.sum(-1))[TEXT.mask[:, 1:].bool()]
    assert said["mass"] == pytest.approx(tail.mean().item(), abs=1e-6)
    assert said["worst_mass"] == pytest.approx(tail.max().item(), abs=1e-6)
    assert 0 <= said["distance_from_teacher"] < 1e-5


def test_a_cache_that_is_begun_is_completed(tmp_path, small_shards):
    folder = tmp_path / "theirs"
    make(folder, answers())
    whole = payloads(folder)
    (folder / read_manifest(folder)["shards"][1]["file"]).unlink()
    make(folder, answers())
    assert sorted(payloads(folder)) == sorted(whole)
    targets(folder)


def shifted(line):
    """As of an engine that says of each position what it says of the one before."""
    positions = line["choices"][0]["prompt_logprobs"]
    line["choices"][0]["prompt_logprobs"] = [None, positions[1], *positions[1:-1]]
    return line


@pytest.mark.parametrize("how", ["another teacher", "positions off by one"])
def test_what_this_teacher_does_not_say_is_refused_before_anything_is_written(tmp_path, how):
    lines = (
        [scored(ids, teacher=sharp(seed=1)) for ids in TEXT.ids]
        if how == "another teacher"
        else [shifted(line) for line in answers()]
    )
    with pytest.raises(UserError, match="nats per token from the teacher here") as refused:
        make(tmp_path / "theirs", lines)
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "theirs").exists()


def test_a_teacher_in_half_precision_is_this_teacher(tmp_path):
    half = sharp().bfloat16()
    make(tmp_path / "theirs", answers(teacher=half))
    distance = read_manifest(tmp_path / "theirs")["logprobs"]["distance_from_teacher"]
    assert 1e-9 < distance < 1e-3
    assert json.dumps(distance)
