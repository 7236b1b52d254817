"""The rivals of chapter 8, sections 1, 2, 7 to 9: other losses, shapes, laws, caches and splits."""

import contextlib
import dataclasses
import io

import pytest
import torch
import torch.nn.functional as F
from rivals.headlines import headline

from kdlib import Objective, UserError, distillation_loss
from kdlib.bench import costs, live, variants
from kdlib.bench.costs import LLAMA_3_1B, LLAMA_3_8B, LLAMA_3_70B
from kdlib.bench.variants import Inputs, Size, make_inputs
from kdlib.data.blocks import Blocks
from kdlib.models.folders import POCKET_TEACHER, load_tokenizer
from kdlib.models.from_scratch import ModelSize, new_model, parameter_count
from kdlib.models.frozen import freeze
from kdlib.models.heads import linear_head
from kdlib.teachers.cache_format import cache_contents
from kdlib.teachers.cache_reader import CachedTargets
from kdlib.teachers.cache_writer import write_cache

CPU = torch.device("cpu")


def by_hand(given):
    with torch.no_grad():
        log_p = (given.teacher @ given.teacher_head.T).float().log_softmax(-1)
    log_q = (given.student @ given.head.T).float().log_softmax(-1)
    return (log_p.exp() * (log_p - log_q)).sum()


def crossed(given):
    with torch.no_grad():
        p = (given.teacher @ given.teacher_head.T).float().softmax(-1)
    return -(p * (given.student @ given.head.T).float().log_softmax(-1)).sum()


def built_in(given):
    with torch.no_grad():
        p = (given.teacher @ given.teacher_head.T).float().softmax(-1)
    return F.cross_entropy((given.student @ given.head.T).float(), p, reduction="sum")


def in_chunks(way, rows):
    def chunked(given):
        parts = zip(given.student.split(rows), given.teacher.split(rows))
        return sum(way(Inputs(s, given.head, t, given.teacher_head)) for s, t in parts)

    return chunked


def peak(way, size, dtype=torch.float32):
    given = make_inputs(size, dtype, CPU)
    wanted = (given.student, given.head)
    return live.peak_bytes(lambda: torch.autograd.grad(way(given), wanted))


@headline(
    8, "Written out, a distillation loss holds three to five matrices of N x V numbers at its peak."
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("size", [Size(256, 32, 64, 4096), Size(300, 96, 16, 6000)])
@pytest.mark.parametrize("way", [variants.dense, by_hand, crossed, built_in])
def test_8_1_however_it_is_written(way, size, dtype):
    """Rival: a thriftier formula or a smaller number format holds fewer."""
    matrices = peak(way, size, dtype) / (4 * size.tokens * size.vocabulary)
    assert 2.9 < matrices < 5.2


@headline(
    8,
    "Chunks with one backward pass at the end still grow with N; chunks that finish their gradient "
    "do not.",
)
@pytest.mark.parametrize("rows", [16, 64, 256])
@pytest.mark.parametrize("way", [variants.dense, crossed])
def test_8_1_smaller_chunks_of_a_thriftier_loss(way, rows):
    """Rival: the chunks were too large, or the loss in them too wasteful."""
    sizes = [Size(n, 32, 32, 8192) for n in (512, 1024, 2048)]
    once = [peak(in_chunks(way, rows), size) for size in sizes]
    assert once[1] > 1.5 * once[0] and once[2] > 1.7 * once[1]
    finished = [peak(variants.fused, size) for size in sizes]
    hidden = 4 * 32 * (sizes[2].tokens - sizes[0].tokens)  # its gradient, which is the result
    assert finished[2] - finished[0] < 4 * hidden < 0.02 * once[2]


@headline(
    8,
    "A larger vocabulary enlarges the loss and the token table with its state in the same "
    "proportion, and leaves the body as it is.",
)
@pytest.mark.parametrize("shape", [ModelSize(64, 2, 2), ModelSize(128, 3, 4), ModelSize(32, 5, 1)])
def test_8_1_what_grows_with_the_words(shape):
    """Rival: only the loss grows; or it is the one shape of chapter 7's student."""
    models = [new_model(shape, words, 128, seed=0) for words in (2048, 8192)]
    tables = [linear_head(model).weight.numel() for model in models]
    bodies = [parameter_count(model) - table for model, table in zip(models, tables)]
    assert tables[1] == 4 * tables[0] and bodies[0] == bodies[1]
    small, large = (peak(variants.dense, Size(256, 64, 64, words)) for words in (2048, 8192))
    assert abs(large / small - 4) < 0.1


FIT = [Size(512, 128, 128, 16_384), Size(512, 512, 512, 16_384), Size(512, 128, 128, 32_768)]
HELD_OUT = Size(256, 576, 576, 49_152)


@headline(8, "A model is worth what it says about a size that was not used for its fit.")
@pytest.mark.parametrize("seed", range(10))
def test_8_2_a_perfect_fit_of_a_wrong_model(seed):
    """Rival: three sizes and two numbers leave a size over, so a good fit is evidence enough."""
    a, b, c = (10 ** torch.rand(3, generator=torch.Generator().manual_seed(seed)) / 10).tolist()

    def takes(size):
        third = 1e-8 * c * size.vocabulary * size.width
        return 1e-11 * a * costs.loss_flops(size) + 1e-9 * b * costs.logits(size) + third

    work = torch.tensor([[costs.loss_flops(s), costs.logits(s)] for s in FIT]).double()
    times = torch.tensor([takes(s) for s in FIT]).double()[:, None]
    found = torch.linalg.lstsq(work / times, torch.ones_like(times)).solution[:, 0]
    assert ((work @ found) / times[:, 0] - 1).abs().max() < 1e-6
    says = found @ torch.tensor([costs.loss_flops(HELD_OUT), costs.logits(HELD_OUT)]).double()
    assert says / takes(HELD_OUT) - 1 < -0.05


@pytest.fixture
def small():
    """A model, blocks of text, and a tokenizer."""
    tokenizer = load_tokenizer(POCKET_TEACHER)
    model = freeze(new_model(ModelSize(16, 1, 2), len(tokenizer), 32, seed=0))
    ids = torch.randint(3, 4000, (12, 17), generator=torch.Generator().manual_seed(0))
    return model, Blocks(ids, torch.ones_like(ids), 1000), tokenizer


def cached(folder, model, blocks, tokenizer, **more):
    settings = {"kind": "sampled", "k": 8, "temperature": 1.0, "seed": 0} | more
    contents = cache_contents(model, tokenizer, blocks, **settings)
    with contextlib.redirect_stderr(io.StringIO()):
        write_cache(folder, contents, model, blocks)
    return contents


@headline(
    8,
    "A cache belongs to a text, a teacher and a setting; it must know all three, and find rows by "
    "what they belong to.",
)
def test_8_7_what_a_cache_refuses_and_what_it_finds(small, tmp_path):
    """Rival: the place of a block in the text is enough, and a teacher is known by its shape."""
    model, blocks, tokenizer = small
    contents = cached(tmp_path, *small)
    found = CachedTargets(tmp_path, contents, blocks)
    order = torch.randperm(len(blocks), generator=torch.Generator().manual_seed(1))
    mixed = dataclasses.replace(blocks, ids=blocks.ids[order], mask=blocks.mask[order])
    again = CachedTargets(tmp_path, contents, mixed)
    rows = torch.arange(len(blocks))
    here, there = found(rows, blocks.ids).ids, again(rows, mixed.ids).ids
    assert torch.equal(there, here[order]) and not torch.equal(there, here)
    others = dataclasses.replace(blocks, ids=blocks.ids.flip(1))
    with pytest.raises(UserError):
        CachedTargets(tmp_path, contents, others)
    for changed in ({"k": 4}, {"temperature": 2.0}, {"kind": "top_k"}):
        with pytest.raises(UserError):
            CachedTargets(tmp_path, dataclasses.replace(contents, **changed), blocks)
    twin = freeze(new_model(ModelSize(16, 1, 2), len(tokenizer), 32, seed=1))
    same = {"kind": "sampled", "k": 8, "temperature": 1.0, "seed": 0}
    with pytest.raises(UserError):
        CachedTargets(tmp_path, cache_contents(twin, tokenizer, blocks, **same), blocks)


@headline(
    8,
    "The teacher costs 2 operations for each parameter and token, the student 6 in every pass, so a "
    "cache saves nothing in the first pass and at most 1 + t / (3 s) times in many.",
)
@pytest.mark.parametrize("student", [LLAMA_3_1B, LLAMA_3_8B])
@pytest.mark.parametrize("context", [512, 4096])
def test_8_8_attention_and_many_passes(student, context):
    """Rival: attention breaks the rule at real shapes and contexts; or more passes save more."""
    teacher = LLAMA_3_70B
    assert 0.95 < teacher.forward_flops(context) / (2 * teacher.parameters) < 1.1
    # The table of a model that is not tied is looked up and not multiplied: below 6 per parameter.
    assert 0.9 < student.training_flops(context) / (6 * student.parameters) < 1.15
    asks, learns = teacher.forward_flops(context), student.training_flops(context)
    times = [n * (asks + learns) / (asks + n * learns) for n in (1, 2, 10, 10**6)]
    assert times[0] == 1 and times == sorted(times)
    assert times[-1] < 1.1 * (1 + teacher.parameters / (3 * student.parameters))


@headline(8, "On many machines: sum, count over all, one division.")
@pytest.mark.parametrize("seed", range(10))
def test_8_9_random_splits_over_processes(seed):
    """Rival: the mean of means is near enough, or the gradient of the sum depends on the split."""
    draw = torch.Generator().manual_seed(seed)
    hidden, logits, weight = (
        torch.randn(*shape, generator=draw, dtype=torch.float64)
        for shape in ((24, 5), (24, 7), (7, 5))
    )

    def gradient(rows, divisor):
        w = weight.clone().requires_grad_()
        loss = distillation_loss(hidden[rows] @ w.T, logits[rows], objective=Objective())
        return torch.autograd.grad(loss.total / (divisor or loss.count), w)[0]

    alone = gradient(slice(0, 24), 24)

    def off(cuts, divisor):
        ends = [0, *cuts, 24]
        parts = [slice(a, b) for a, b in zip(ends, ends[1:])]
        average = sum(gradient(part, divisor) for part in parts) / len(parts)
        return ((average - alone).norm() / alone.norm()).item()

    uneven = sorted((torch.randperm(6, generator=draw)[:2] + 1).tolist())  # the last has most
    assert off(uneven, 24 / 3) < 1e-12
    assert off(uneven, None) > 0.05
    assert off((8, 16), None) < 1e-12  # equal counts hide the mistake
    assert abs(off((8, 16), 24) - 2 / 3) < 1e-12
