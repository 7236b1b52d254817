"""A GPU that is not there: a device on which tensors have shapes and a place, but no numbers.

Run as a program (a backend can be registered only once in a process, and for good), it takes one
training step on that device for each planted mistake, and prints what became of it as JSON.

What is on the CPU stays real. An operation that mixes the two devices fails, one that needs a
number from the device fails, and copies that wait are written down.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from unittest import mock

os.environ["ACCELERATE_TORCH_DEVICE"] = "fake:0"

import torch
from accelerate import Accelerator
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only
from torch.utils.backend_registration import (
    _DummyBackendModule,
    _setup_privateuseone_for_python_backend,
)

from kdlib.data.blocks import Blocks
from kdlib.losses.fused.loss import Buffers, select_rows
from kdlib.losses.objectives import Objective
from kdlib.models.from_scratch import ModelSize, new_model
from kdlib.models.frozen import freeze
from kdlib.reports.scores import _quantities, reverse_kl
from kdlib.teachers.live import LiveTargets
from kdlib.training.schedule import Training, make_optimizer
from kdlib.training.step import StepContext, sum_losses, take_step, to_device
from kdlib.training.student_with_loss import StudentWithLoss, distillation_loss, next_token
from kdlib.training.task import Task


class Backend(_DummyBackendModule):
    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        return [torch.bfloat16]


_setup_privateuseone_for_python_backend("fake", backend_module=Backend())

AUTOCAST = "AutocastPrivateUse1"
NOT_AGAIN = torch._C.DispatchKeySet(torch._C.DispatchKey.AutocastPrivateUse1)
libraries = [torch.library.Library("_", "IMPL", AUTOCAST), torch.library.Library("aten", "IMPL")]
libraries[0].fallback(torch.library.fallthrough_kernel)


def in_lower_precision(operation):
    """What autocast does before a matrix product."""

    def kernel(*args, **kwargs):
        with torch._C._ExcludeDispatchKeyGuard(NOT_AGAIN):
            return operation(*tree_map_only(torch.Tensor, _lower, args), **kwargs)

    return kernel


def _lower(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.to(torch.bfloat16) if tensor.is_floating_point() else tensor


for name in ("linear", "matmul", "scaled_dot_product_attention"):
    libraries[1].impl(name, in_lower_precision(getattr(torch.ops.aten, name)), AUTOCAST)
DEVICE = torch.device("fake", 0)
VOCABULARY, BLOCK, BATCH = 61, 8, 4
TRAINING = Training(steps=1, batch=BATCH)


class FakeDevice(TorchDispatchMode):
    """Operations that touch the device work on fake tensors; all others are real."""

    def __init__(self) -> None:
        super().__init__()
        self.fake = FakeTensorMode(allow_non_fake_inputs=True)
        self.waits: list[str] = []
        self.products: set[str] = set()  # the dtypes of matrix products
        self.doubles: list[str] = []  # operations in float64, which not every GPU knows

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        leaves = tree_leaves((args, kwargs))
        tensors = [x for x in leaves if isinstance(x, torch.Tensor)]
        places = {x.device for x in tensors} | {x for x in leaves if isinstance(x, torch.device)}
        if DEVICE not in places:
            return function(*args, **kwargs)
        # A number in a tensor of no dimensions goes along with a kernel's arguments.
        from_cpu = any(x.device.type == "cpu" and x.ndim > 0 for x in tensors)
        back = torch.device("cpu") in places and not from_cpu
        if (from_cpu or back) and not kwargs.get("non_blocking", False):
            self.waits.append(str(function))
        if function.overloadpacket in (torch.ops.aten.mm, torch.ops.aten.addmm):
            self.products.add(str(tensors[-1].dtype).removeprefix("torch."))
        args, kwargs = tree_map_only(torch.Tensor, self.fake.from_tensor, (args, kwargs))
        with self.fake:
            result = function(*args, **kwargs)
        if any(getattr(x, "dtype", None) == torch.float64 for x in tree_leaves(result)):
            self.doubles.append(str(function))
        return result


def moved_to_device(module: nn.Module, spare: str = "") -> nn.Module:
    """In place; the tensor named `spare` is forgotten. `Module.to` cannot make fake parameters."""
    moved: dict[torch.Tensor, torch.Tensor] = {}
    for prefix, part in module.named_modules():
        for store in (part._parameters, part._buffers):
            for name, tensor in store.items():
                if tensor is None or (spare and f"{prefix}.{name}".endswith(spare)):
                    continue
                if tensor not in moved:
                    there = torch.empty_like(tensor, device=DEVICE)
                    wrap = isinstance(tensor, nn.Parameter)
                    moved[tensor] = nn.Parameter(there, tensor.requires_grad) if wrap else there
                store[name] = moved[tensor]
    return module


class Bigram(nn.Module):
    """A model without a linear head: its loss takes the dense road."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(VOCABULARY, VOCABULARY)

    def forward(self, input_ids, **more):
        return mock.Mock(logits=self.table(input_ids))


def batch_of_blocks() -> Blocks:
    ids = torch.randint(0, VOCABULARY, (BATCH, BLOCK + 1))
    mask = torch.ones_like(ids)
    mask[-1, 5:] = 0
    return Blocks(ids, mask, bytes=100)


def step(accelerator, student=None, objective=None, *, teacher_there=True, spare="") -> FakeDevice:
    """One step on the device, of teacher and student; what the device saw of it."""
    size = ModelSize(width=16, layers=1, heads=2)
    teacher, model = (new_model(size, VOCABULARY, 2 * BLOCK, seed) for seed in (0, 1))
    teacher, model = freeze(teacher), student or model
    pupil, targets = StudentWithLoss(model), LiveTargets(teacher)
    with FakeDevice() as device:
        if teacher_there:
            moved_to_device(teacher)
        moved_to_device(pupil, spare)
        optimizer = make_optimizer(model, TRAINING)
        pupil, optimizer = accelerator.prepare(pupil, optimizer, device_placement=[False, False])
        device.waits.clear()  # a model is moved once
        blocks, objective = batch_of_blocks(), objective or Objective.from_alpha(0.5)
        task = Task(blocks, blocks, objective, TRAINING, targets)
        context = StepContext(pupil, optimizer, task, accelerator)
        take_step(context, torch.arange(BATCH))
        accelerator.free_memory()
        return device


def judge(accelerator=None) -> FakeDevice:
    """What the report asks of a GPU for each token, from the logits of both models."""
    with FakeDevice() as device:
        log_p, log_q = torch.empty(2, BATCH, BLOCK, VOCABULARY, device=DEVICE)
        labels = torch.empty(BATCH, BLOCK, dtype=torch.int64, device=DEVICE)
        _quantities(log_p, log_q, labels)
        return device


# --- Planted mistakes ---------------------------------------------------------------------------


def _labels_on_the_cpu(logits, ids, mask=None, real=next_token):
    logits, labels, mask = real(logits, ids, mask)
    return logits, torch.zeros(labels.shape, dtype=torch.int64), mask


def _mask_on_the_cpu(logits, target, labels, counted, real=distillation_loss, **rest):
    return real(logits, target, labels, torch.ones(labels.shape, dtype=torch.bool), **rest)


def _rows_on_the_cpu(counted, device):
    return counted.flatten().nonzero().squeeze(-1)


def _buffers_on_the_cpu(rows, vocabulary, dtype, device, real=Buffers):
    return real(rows, vocabulary, dtype, torch.device("cpu"))


def _reads_a_number(losses, real=sum_losses):
    whole = real(losses)
    print(whole.total.item(), file=sys.stderr)
    return whole


def _picks_by_a_mask(values, rows, real=select_rows):
    flat = values.reshape(-1, values.shape[-1])
    return flat[torch.ones(len(flat), dtype=torch.bool, device=flat.device)]


def _waits_for_the_ids(blocks, rows, accelerator, real=to_device):
    return blocks.ids[rows].to(accelerator.device), real(blocks, rows, accelerator)[1]


def _brings_the_loss_home(losses, real=sum_losses):
    whole = real(losses)
    return whole._replace(total=whole.total.cpu())


def _adds_in_float64(losses, real=sum_losses):
    whole = real(losses)
    return whole._replace(total=whole.total.double())


def _in_float64(log_p, log_q, real=reverse_kl):
    return real(log_p.double(), log_q.double())


def planted(where: str, what):
    return lambda accelerator, **rest: _with_patch(where, what, accelerator, **rest)


def _with_patch(where, what, accelerator, act=step, **rest) -> FakeDevice:
    with mock.patch(where, what):
        return act(accelerator, **rest)


def dense(accelerator):
    return step(accelerator, student=Bigram())


MISTAKES = {
    "teacher on the CPU": lambda accelerator: step(accelerator, teacher_there=False),
    "labels on the CPU": planted("kdlib.training.student_with_loss.next_token", _labels_on_the_cpu),
    "mask on the CPU": lambda accelerator: _with_patch(
        "kdlib.training.student_with_loss.distillation_loss",
        _mask_on_the_cpu,
        accelerator,
        student=Bigram(),
    ),
    "index on the CPU": planted("kdlib.losses.fused.loss.counted_rows", _rows_on_the_cpu),
    "scratch memory on the CPU": planted("kdlib.losses.fused.loss.Buffers", _buffers_on_the_cpu),
    "buffer on the CPU": lambda accelerator: step(accelerator, spare="rotary_emb.inv_freq"),
    "parameter on the CPU": lambda accelerator: step(accelerator, spare="mlp.up_proj.weight"),
    "a number read": planted("kdlib.training.step.sum_losses", _reads_a_number),
    "rows picked by a mask": planted("kdlib.losses.fused.loss.select_rows", _picks_by_a_mask),
    "a copy that waits": planted("kdlib.training.step.to_device", _waits_for_the_ids),
    "a copy back": planted("kdlib.training.step.sum_losses", _brings_the_loss_home),
    "a loss in float64": planted("kdlib.training.step.sum_losses", _adds_in_float64),
    "scores in float64": lambda a: _with_patch(
        "kdlib.reports.scores.reverse_kl", _in_float64, a, judge
    ),
}
SOUND = {
    "linear": step,
    "dense": dense,
    "reverse KL": lambda a: step(a, objective=Objective.from_alpha(0.5, divergence="reverse_kl")),
    "temperature 2": lambda a: step(a, objective=Objective.from_alpha(0.5, temperature=2.0)),
    "evaluation": judge,
}


def outcome(attempt, accelerator) -> dict:
    try:
        device = attempt(accelerator)
        seen = {"waits": device.waits, "doubles": device.doubles}
        return {"error": None, "products": sorted(device.products)} | seen
    except Exception as error:  # the point is to see which
        return {
            "error": type(error).__name__,
            "message": str(error)[:300],
            "waits": [],
            "doubles": [],
        }


def main() -> None:
    accelerator = Accelerator(mixed_precision="bf16")
    with contextlib.redirect_stdout(sys.stderr):
        sound = {name: outcome(attempt, accelerator) for name, attempt in SOUND.items()}
        mistakes = {name: outcome(attempt, accelerator) for name, attempt in MISTAKES.items()}
    print(json.dumps({"device": str(accelerator.device), "sound": sound, "mistakes": mistakes}))


if __name__ == "__main__":
    main()
