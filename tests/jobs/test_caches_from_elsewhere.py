"""Prompts out, another engine's log-probabilities in, and a student that learns from them."""

import json
import shlex

import pytest
import torch
from forked import kdlib
from little_runs import QUICK
from transformers import AutoModelForCausalLM

from kdlib.models.folders import POCKET_TEACHER
from kdlib.teachers.cache_format import read_manifest

pytestmark = pytest.mark.slow
K = ("--targets.k", "12")


@pytest.fixture(scope="module")
def made(few_speeches, tmp_path_factory):
    """What the first command printed, and a folder: prompts, answers, two caches."""
    folder = tmp_path_factory.mktemp("elsewhere")
    written = kdlib("cache", "tiny", *few_speeches, *K, "--write-prompts", folder / "prompts.jsonl", "--out", folder / "cache")  # fmt: skip
    assert written.code == 0, written.err
    score(folder / "prompts.jsonl", folder / "answers.jsonl")
    given = command(written.out, "Then:", folder)
    read = kdlib(*given)
    assert read.code == 0, read.err
    own = kdlib("cache", "tiny", *few_speeches, *K, "--targets.kind", "with_tail", "--out", folder / "own")  # fmt: skip
    assert own.code == 0, own.err
    return folder, read.out


def command(printed, after, folder):
    """The command that was printed, with the file that now exists."""
    line = printed.partition(after)[2].splitlines()[0]
    program, *words = shlex.split(line)
    assert program == "kdlib"
    return [str(folder / "answers.jsonl") if word == "ANSWERS" else word for word in words]


def score(prompts, answers):
    """As an engine does it: transformers alone, one request after another."""
    model = AutoModelForCausalLM.from_pretrained(POCKET_TEACHER, dtype=torch.float32).eval()
    with open(answers, "w") as file:
        for line in prompts.read_text().splitlines():
            request = json.loads(line)
            ids, k = request["prompt"], request["prompt_logprobs"]
            assert request["return_token_ids"] is True and request["max_tokens"] == 1
            with torch.no_grad():
                rows = model(torch.tensor([ids])).logits[0, :-1].log_softmax(-1)
            likely = rows.topk(k)
            positions = [
                {str(i): {"logprob": v, "rank": r} for r, (v, i) in enumerate(zip(*row), 1)}
                for row in zip(likely.values.tolist(), likely.indices.tolist())
            ]
            choice = {"prompt_token_ids": ids, "prompt_logprobs": [None, *positions]}
            file.write(json.dumps({"choices": [choice]}) + "\n")


def test_the_cache_is_that_of_the_teacher_itself(made):
    folder, _ = made
    theirs, own = (read_manifest(folder / name) for name in ("cache", "own"))
    assert theirs["contents"] == own["contents"]
    assert theirs["tokens"] == own["tokens"]
    sizes = [sum(s["bytes"] for s in manifest["shards"]) for manifest in (theirs, own)]
    assert sizes[0] == pytest.approx(sizes[1], rel=1e-3)
    assert theirs["logprobs"]["distance_from_teacher"] < 1e-6


def test_what_is_left_out_is_printed(made):
    folder, printed = made
    said = read_manifest(folder / "cache")["logprobs"]
    assert f"Left out: {100 * said['mass']:.3g} % of the teacher's probability" in printed
    assert f"the loss lacks {said['even_loss']:.3g} nats per token at most" in printed
    assert f"wrong by {said['gradient']:.3g} at most" in printed
    assert said["gradient"] == pytest.approx(2 * said["mass"])


def test_a_student_learns_from_it_what_it_learns_from_the_teachers_own(made, tmp_path):
    folder, printed = made
    words = command(printed, "Use it:", folder)
    place = words.index(str(folder / "cache"))
    losses = {}
    for name in ("cache", "own"):
        words[place] = str(folder / name)
        done = kdlib(*words, *QUICK, "--out", tmp_path / name)
        assert done.code == 0, done.err
        report = json.loads((tmp_path / name / "report.json").read_text())
        losses[name] = report["student"]["cross_entropy"]
    assert losses["cache"] == pytest.approx(losses["own"], abs=1e-3)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--objective.temperature", "2"), "objective.temperature: 2 cannot be made from"),
        (("--targets.kind", "sampled"), "targets.kind: sampled is not what"),
        (("--targets.k", "13"), "has the 12 likeliest tokens, and targets.k is 13"),
        (("--data.block", "64"), "has 129 tokens, and a block here has 65"),
        (("--data.fraction", "0.8"), "of the"),
        (("--write-prompts", "p.jsonl"), "from_logprobs: the prompts are to be written, too"),
    ],
)
def test_a_recipe_that_it_does_not_fit_is_refused_in_one_line(
    made, few_speeches, tmp_path, flags, message
):
    folder, _ = made
    asked = ("cache", "tiny", *few_speeches, *K, "--from-logprobs", folder / "answers.jsonl")
    refused = kdlib(*asked, *flags, "--out", tmp_path / "cache")
    lines = [line for line in refused.err.splitlines() if "log-probabilities:" not in line]
    assert refused.code == 2 and message in refused.err and len(lines) == 1, refused.err
    assert not (tmp_path / "cache").exists()


def test_prompts_that_cannot_be_written(few_speeches, tmp_path):
    asked = ("cache", "tiny", *few_speeches, *K, "--write-prompts")
    for place in (tmp_path, tmp_path / "no" / "such" / "folder.jsonl"):
        refused = kdlib(*asked, place)
        assert refused.code == 2 and refused.err.count("\n") == 1, refused.err
        assert str(place) in refused.err
