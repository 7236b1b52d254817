"""What only a real GPU shows. Skipped, with the reason, where there is none.

`pytest -m gpu -n 0 -s tests/test_gpu.py` prints the memory and the speed that it measures.
"""

import time

import pytest
import torch
from accelerate.state import AcceleratorState

from kdlib.bench.launches import launches
from kdlib.bench.variants import Size, fused, make_inputs
from kdlib.data.blocks import Blocks
from kdlib.losses.distillation import distillation_loss
from kdlib.losses.fused.inputs import Head, HiddenTargets
from kdlib.losses.fused.loss import fused_distillation_loss
from kdlib.losses.fused.products import add_product, writes_float32
from kdlib.losses.objectives import Objective
from kdlib.machine.devices import compile_layers, make_accelerator
from kdlib.machine.turns import on_device
from kdlib.models.from_scratch import ModelSize, new_model
from kdlib.models.frozen import freeze
from kdlib.teachers.live import LiveTargets
from kdlib.training.loop import rows_of_step, train
from kdlib.training.metrics import Metrics
from kdlib.training.phase import Phase
from kdlib.training.schedule import Training, make_optimizer
from kdlib.training.step import StepContext, take_step
from kdlib.training.student_with_loss import StudentWithLoss
from kdlib.training.task import Task

pytestmark = pytest.mark.gpu

BOTH = Objective.from_alpha(0.5)
VOCABULARY, BLOCK, BATCH = 8192, 256, 16


def make_blocks(count):
    ids = torch.randint(
        0, VOCABULARY, (count, BLOCK + 1), generator=torch.Generator().manual_seed(0)
    )
    mask = torch.ones_like(ids)
    mask[-1, 100:] = 0
    return Blocks(ids, mask, bytes=1000)


def hidden_and_heads(rows, width, vocabulary, device):
    generator = torch.Generator().manual_seed(0)
    shapes = [(rows, width)] * 2 + [(vocabulary, width)] * 2
    made = [torch.randn(*shape, generator=generator).mul_(0.5).to(device) for shape in shapes]
    student, teacher, *heads = made
    student.requires_grad_(), heads[0].requires_grad_()
    labels = torch.randint(0, vocabulary, (rows,), generator=generator).to(device)
    return student, heads[0], HiddenTargets(teacher, Head(heads[1])), labels


def losses(rows, width, vocabulary, device, linear):
    student, weight, targets, labels = hidden_and_heads(rows, width, vocabulary, device)
    if linear:
        loss = fused_distillation_loss(student, Head(weight), targets, labels, objective=BOTH)
    else:
        logits = student @ weight.T
        loss = distillation_loss(logits, targets.logits(), labels, objective=BOTH)
    loss.total.backward()
    return loss.total.item(), student.grad.cpu(), weight.grad.cpu()


@pytest.mark.parametrize("linear", [True, False], ids=["linear", "dense"])
def test_loss_and_gradients_are_those_of_the_cpu(linear):
    here, there = (losses(300, 64, 1000, device, linear) for device in ("cpu", "cuda"))
    assert there[0] == pytest.approx(here[0], rel=1e-5)
    for ours, wanted in zip(there[1:], here[1:]):
        torch.testing.assert_close(ours, wanted, rtol=1e-3, atol=1e-5)


def test_half_precision_adds_up_the_heads_gradient_in_float32_by_one_product():
    """Many chunks of one row: a sum in bfloat16 would lose the last ones."""
    assert writes_float32("cuda", torch.bfloat16)
    generator = torch.Generator().manual_seed(0)
    left, right = (torch.rand(*s, generator=generator).bfloat16() for s in ((64, 300), (300, 32)))
    total = torch.zeros(64, 32, device="cuda")
    for row in range(300):
        add_product(total, left[:, row : row + 1].cuda(), right[row : row + 1].cuda())
    torch.testing.assert_close(total.cpu(), left.float() @ right.float(), rtol=1e-5, atol=1e-4)


def test_a_step_of_half_precision_launches_no_more_than_one_of_float32():
    counts = []
    for dtype in (torch.bfloat16, torch.float32):
        given = make_inputs(Size(2048, 64, 64, 49_152), dtype, torch.device("cuda"))
        counts.append(
            launches(lambda: torch.autograd.grad(fused(given), (given.student, given.head)))  # noqa: B023
        )
    assert counts[0] <= counts[1]


def peak_bytes(linear, rows=4096, width=256, vocabulary=32768):
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    losses(rows, width, vocabulary, "cuda", linear)
    return torch.cuda.max_memory_allocated() - before


def test_linear_loss_takes_a_quarter_of_the_memory_of_the_dense_one():
    linear, dense = peak_bytes(linear=True), peak_bytes(linear=False)
    print(f"peak: linear {linear / 1e6:.0f} MB, dense {dense / 1e6:.0f} MB")
    assert linear < dense / 4


def fresh_accelerator(device, precision):
    """Accelerate keeps its device for the whole process, unless it is told to forget it."""
    AcceleratorState._reset_state(reset_partial_state=True)
    return make_accelerator(device, precision)


@pytest.fixture(autouse=True)
def forget_the_device():
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


def pair():
    teacher = freeze(new_model(ModelSize(512, 4, 8), VOCABULARY, 2 * BLOCK, seed=0))
    return teacher, new_model(ModelSize(256, 4, 4), VOCABULARY, 2 * BLOCK, seed=1)


def trained(device, folder, steps=8):
    """Losses of some steps of the real loop, in float32."""
    folder.mkdir()
    accelerator = fresh_accelerator(device, "fp32")
    teacher, student = pair()
    targets = LiveTargets(teacher.to(accelerator.device))
    blocks, training = make_blocks(32), Training(steps=steps, batch=8, checkpoint_every=4)
    phase = Phase("student", folder, "run", seed=0)
    train(student, Task(blocks, blocks, BOTH, training, targets), phase, accelerator)
    return Metrics(folder).rows()[-1]


def prepared(blocks, precision, compiled=False):
    """Everything that a step takes, on the GPU."""
    accelerator = fresh_accelerator("cuda", precision)
    teacher, student = (model.to(accelerator.device) for model in pair())
    if compiled:
        compile_layers(student)
        compile_layers(teacher)
    training = Training(steps=100, batch=BATCH, gradient_accumulation=2)
    optimizer = make_optimizer(student, training)
    learner, stepper = accelerator.prepare(StudentWithLoss(student), optimizer)
    task = Task(blocks, blocks, BOTH, training, LiveTargets(teacher))
    return StepContext(learner, stepper, task, accelerator)


def step_of_number(number, context):
    blocks, training = context.task.blocks, context.task.training
    return take_step(context, rows_of_step(number, len(blocks), training.batch, 0)).loss


def test_the_loop_ends_where_it_ends_on_the_cpu(tmp_path):
    here, there = (trained(device, tmp_path / device) for device in ("cpu", "cuda"))
    for quantity in ("loss", "distillation", "validation"):
        assert there[quantity] == pytest.approx(here[quantity], rel=1e-3)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_step_never_waits_for_the_gpu(precision):
    context = prepared(make_blocks(BATCH), precision)
    step_of_number(0, context)  # the first step may: it chooses kernels and makes buffers
    torch.cuda.set_sync_debug_mode("error")
    try:
        loss = step_of_number(1, context)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert loss.total.isfinite()


def test_bf16_is_near_float32():
    blocks = make_blocks(BATCH)
    means = [step_of_number(0, prepared(blocks, p)).mean.item() for p in ("fp32", "bf16")]
    assert means[1] == pytest.approx(means[0], rel=0.02)


def test_compiled_layers_take_the_same_step():
    blocks = make_blocks(BATCH)
    means = [step_of_number(0, prepared(blocks, "fp32", c)).mean.item() for c in (False, True)]
    assert means[1] == pytest.approx(means[0], rel=1e-4)


def test_a_model_has_its_turn_and_leaves_the_memory_to_the_next():
    model, device = new_model(ModelSize(256, 2, 4), VOCABULARY, BLOCK, 0), torch.device("cuda")
    before = torch.cuda.memory_allocated()
    with on_device([model], device):
        assert next(model.parameters()).is_cuda and torch.cuda.memory_allocated() > before
    assert not next(model.parameters()).is_cuda and torch.cuda.memory_allocated() == before


@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "compiled"])
def test_speed_is_printed(compiled):
    context = prepared(make_blocks(4 * BATCH), "bf16", compiled)
    for number in range(5):
        step_of_number(number, context)
    torch.cuda.synchronize()
    started = time.perf_counter()
    for number in range(5, 25):
        step_of_number(number, context)
    torch.cuda.synchronize()
    speed = 20 * BATCH * BLOCK / (time.perf_counter() - started)
    print(f"{torch.cuda.get_device_name()}: {speed:,.0f} tokens/s")
    assert speed > 1000  # slower than a laptop's processor: something runs in the wrong place
