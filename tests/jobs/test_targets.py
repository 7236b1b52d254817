"""The teacher's targets are the same numbers, whichever road they take to the student."""

import copy
from types import SimpleNamespace

import pytest
import torch
from accelerate.state import AcceleratorState

from kdlib.data.blocks import Blocks
from kdlib.jobs.classroom import open_classroom
from kdlib.jobs.context import open_context
from kdlib.jobs.data_settings import Data
from kdlib.jobs.recipe import Recipe, StudentSettings, TargetSettings
from kdlib.jobs.targets import cached_targets, exact_targets
from kdlib.losses.softmax import log_softmax
from kdlib.machine.devices import make_accelerator
from kdlib.models.from_scratch import ModelSize, new_model
from kdlib.models.frozen import freeze
from kdlib.models.narrow import narrow_exactly
from kdlib.teachers.live import LiveTargets, PrecomputedTargets
from kdlib.training.run_folder import prepare_run
from kdlib.training.schedule import Training

BATCH, TOKENS, VOCABULARY, K = 4, 12, 50, 8


@pytest.fixture
def fresh_accelerate():
    """Accelerate keeps its precision for the whole process, unless it is told to forget it."""
    AcceleratorState._reset_state(reset_partial_state=True)
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


@pytest.fixture(params=["fp32", "bf16"])
def accelerator(request, fresh_accelerate):
    return make_accelerator("cpu", request.param)


@pytest.fixture
def teacher():
    return freeze(new_model(ModelSize(32, 2, 2), VOCABULARY, 64, seed=0))


@pytest.fixture
def blocks():
    ids = torch.randint(
        0, VOCABULARY, (BATCH, TOKENS + 1), generator=torch.Generator().manual_seed(0)
    )
    return Blocks(ids, torch.ones_like(ids), bytes=1)


def context(accelerator, folder, steps, **settings):
    recipe = Recipe(
        data=Data(block=TOKENS),
        student=StudentSettings(training=Training(steps=steps, batch=BATCH)),
        **settings,
    )
    models = SimpleNamespace(targets=folder / "targets")
    return SimpleNamespace(recipe=recipe, accelerator=accelerator, models=models, folder=folder)


def in_a_step(targets, accelerator, blocks):
    """What the training loop asks for: all blocks as one batch, under its autocast."""
    with accelerator.autocast():
        return targets(torch.arange(BATCH), blocks.ids)


def test_hidden_states_are_the_same_at_each_step_and_ahead(accelerator, teacher, blocks, tmp_path):
    """Bit for bit, in the dtype that the teacher gives them."""
    live, ahead = (
        exact_targets(context(accelerator, tmp_path, n), teacher, blocks) for n in (1, 2)
    )
    assert (type(live), type(ahead)) == (LiveTargets, PrecomputedTargets)
    one, other = (in_a_step(targets, accelerator, blocks) for targets in (live, ahead))
    assert one.hidden.dtype == other.hidden.dtype
    assert torch.equal(one.hidden, other.hidden)
    with torch.no_grad():
        exact = teacher.base_model(input_ids=blocks.ids).last_hidden_state
    assert torch.equal(other.hidden, exact) == (accelerator.mixed_precision == "no")


def test_a_teacher_kept_as_it_was_stored_says_the_same(accelerator, teacher, blocks, tmp_path):
    """By either road, its matrices in bfloat16, and with the head that makes its logits."""
    stored = freeze(teacher.bfloat16().float())
    said = []
    for each in (stored, narrow_exactly(copy.deepcopy(stored))):
        for steps in (1, 2):
            targets = exact_targets(context(accelerator, tmp_path, steps), each, blocks)
            hidden, head = in_a_step(targets, accelerator, blocks)
            assert head.weight.dtype == each.lm_head.weight.dtype
            with accelerator.autocast():
                said.append((hidden, torch.nn.functional.linear(hidden, head.weight.to(hidden))))
    for hidden, logits in said[1:]:
        assert torch.equal(hidden, said[0][0])
        assert torch.equal(logits, said[0][1])


@pytest.mark.parametrize(("precision", "dtype"), [("bf16", "bfloat16"), ("fp32", "float32")])
def test_a_run_keeps_its_teacher_as_its_precision_wants_it(
    precision, dtype, fresh_accelerate, tmp_path
):
    (tmp_path / "book.txt").write_text("\n\n".join(f"Line {n} of a book." for n in range(3000)))
    data = Data(text=str(tmp_path / "book.txt"), fraction=1, test_fraction=1)
    recipe = Recipe(data=data, device="cpu", precision=precision)
    teacher = open_classroom(open_context(recipe, tmp_path / "run")).teacher
    matrices = {str(p.dtype) for p in teacher.parameters() if p.ndim == 2}
    assert matrices == {f"torch.{dtype}"}


def test_a_cache_holds_what_a_step_would_compute(accelerator, teacher, blocks, tmp_path):
    settings = TargetSettings(kind="top_k", k=K)
    job = context(accelerator, tmp_path / "run", 2, targets=settings)
    prepare_run(job.folder, "run", "", overwrite=False)
    tokenizer = SimpleNamespace(backend_tokenizer=SimpleNamespace(to_str=lambda: "a tokenizer"))
    cached, _ = cached_targets(job, teacher, tokenizer, blocks)
    read = in_a_step(cached, accelerator, blocks)
    live = exact_targets(context(accelerator, tmp_path, 1), teacher, blocks)
    with accelerator.autocast():
        hidden, head = in_a_step(live, accelerator, blocks)
        logits = torch.nn.functional.linear(hidden, head.weight)[:, :-1]
    kept = log_softmax(logits).topk(K)
    order = kept.indices.argsort(-1)
    assert torch.equal(read.ids, kept.indices.gather(-1, order))
    weights = kept.values.softmax(-1).gather(-1, order)
    torch.testing.assert_close(read.weights, weights, rtol=2e-3, atol=0)
