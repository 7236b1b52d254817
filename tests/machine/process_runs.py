"""What each of several processes does, started by torchrun from `test_processes.py`.

train FOLDER       runs of the loop, with whole and with sharded weights
kill STEP ARGS...  kdlib with these arguments; the last process is killed in that step
"""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from unittest import mock

import torch
from accelerate.state import AcceleratorState
from safetensors.torch import save_file

from kdlib.data.blocks import Blocks
from kdlib.losses.objectives import Objective
from kdlib.machine.devices import make_accelerator
from kdlib.machine.distributed import UserError, is_main, rank, run_on_main, shut_down
from kdlib.machine.sharding import DTensor, gather_model, place_module
from kdlib.models.from_scratch import ModelSize, new_model
from kdlib.models.frozen import freeze
from kdlib.teachers.live import LiveTargets, PrecomputedTargets
from kdlib.training import loop, step
from kdlib.training.phase import Diverged, Interrupted, Phase
from kdlib.training.rollouts import Rollouts
from kdlib.training.schedule import Training
from kdlib.training.task import Task

VOCABULARY, BLOCK = 31, 12  # an odd vocabulary: the parts of a matrix are not of one size
TRAINING = Training(
    steps=12, batch=8, gradient_accumulation=2, learning_rate=0.02, checkpoint_every=100
)
# In the middle of the run, again and again; a step follows each, and shows what it has left.
INTERRUPTIONS = {
    "saves": {"checkpoint_every": 3},
    "validates": {"validate_every": 3},
    "validates and saves": {"checkpoint_every": 3, "validate_every": 3},
}
STOP_AT = 5
# Of three steps' texts those of the last are still unread in step 5.
WRITES = Rollouts(share=0.5, prompt_tokens=3, new_tokens=8, refresh=3)
OBJECTIVE = Objective.from_alpha(0.5)


def blocks() -> Blocks:
    ids = torch.randint(0, VOCABULARY, (20, BLOCK + 1), generator=torch.Generator().manual_seed(1))
    mask = torch.ones_like(ids)
    mask[-1, 5:] = 0
    mask[3, 2:] = 0  # so that processes and micro-batches hold different numbers of tokens
    return Blocks(ids, mask, bytes=1000)


def run(
    folder: Path,
    accelerator,
    *,
    stop_on: int | None = None,
    remembered=False,
    writes=False,
    **training,
) -> None:
    """One run in its folder, from its checkpoint if it has one; its final weights beside it. The
    process `stop_on` gets a signal in the step STOP_AT. A student that `writes` is taught on half of
    its own texts. `training` changes settings."""
    folder.mkdir(exist_ok=True)
    sizes = [ModelSize(width, layers=2, heads=2) for width in (24, 16)]
    teacher, model = (
        new_model(size, VOCABULARY, 2 * BLOCK, seed) for seed, size in enumerate(sizes)
    )
    teacher = freeze(teacher)
    read = partial(PrecomputedTargets, blocks=blocks()) if remembered else LiveTargets
    targets = read(teacher, place=partial(place_module, accelerator=accelerator))
    phase = Phase("student", folder, "run", seed=0)
    task = Task(blocks(), blocks(), OBJECTIVE, replace(TRAINING, **training), targets, WRITES if writes else None)  # fmt: skip
    real = loop.rows_of_step
    loop.rows_of_step = partial(_signalled, real, stop_on)
    try:
        loop.train(model, task, phase, accelerator)
    except Interrupted:
        return
    finally:
        loop.rows_of_step = real
    parts = sum(isinstance(p, DTensor) for p in model.parameters())
    whole = gather_model(model)
    weights = {name: p.detach().clone() for name, p in whole.named_parameters()}
    if is_main():
        save_file(weights | {"parts": torch.tensor(parts)}, folder / "final.safetensors")


def interrupted(folder: Path, name: str, accelerator) -> None:
    """Runs that save and validate in their middle."""
    for how, training in INTERRUPTIONS.items():
        run(folder / f"{name} {how}", accelerator, **training)


def _only_mine(*batch, real=step._counted):
    """A planted mistake: a process counts the tokens of its own rows."""
    return real(*batch)[rank() :: 2]


def _signalled(real, who, number, *rest):
    if number == STOP_AT and who == rank():
        os.kill(os.getpid(), signal.SIGINT)
    return real(number, *rest)


def diverging(folder: Path, accelerator) -> None:
    """A run in which the gradient of the last process, of it alone, overflows in step STOP_AT."""
    clip, clipped = accelerator.clip_grad_norm_, []

    def overflowing(parameters, *rest):
        parameters = list(parameters)
        clipped.append(1)
        if len(clipped) == STOP_AT and rank() == 1:
            gradient = parameters[0].grad
            own = gradient.to_local() if isinstance(gradient, DTensor) else gradient
            own.view(-1)[0] = torch.inf
        return clip(parameters, *rest)

    with mock.patch.object(accelerator, "clip_grad_norm_", overflowing):
        try:
            run(folder, accelerator)
        except Diverged as error:
            (folder / f"diverged {rank()}").write_text(str(error))


def several(folder: Path) -> None:
    whole = make_accelerator("cpu", "fp32")
    run(folder / "ddp", whole)
    run(folder / "ddp stopped", whole, stop_on=1)
    run(folder / "ddp writes", whole, writes=True)
    for stop_on in (1, None):
        run(folder / "ddp writes, stopped", whole, stop_on=stop_on, writes=True)
    interrupted(folder, "ddp", whole)
    diverging(folder / "ddp diverged", whole)
    refusals(folder)
    with mock.patch.object(step, "_counted", _only_mine):
        run(folder / "ddp, each by its own count", whole)
    AcceleratorState._reset_state(reset_partial_state=True)
    parts = make_accelerator("cpu", "fp32", "full")
    run(folder / "fsdp", parts)
    run(folder / "fsdp remembered", parts, remembered=True)
    run(folder / "fsdp writes", parts, writes=True)
    run(folder / "one stopped", parts)
    run(folder / "fsdp stopped", parts, stop_on=1)
    interrupted(folder, "fsdp", parts)
    diverging(folder / "fsdp diverged", parts)
    for name, how in (("ddp", "none"), ("fsdp", "full")):
        AcceleratorState._reset_state(reset_partial_state=True)
        run(folder / f"{name} bf16", make_accelerator("cpu", "bf16", how))
    shut_down()


def refusals(folder: Path) -> None:
    """What the main process cannot do, none of them does."""

    def refuse():
        raise UserError("text: too short")

    try:
        run_on_main(refuse)
    except UserError as error:
        (folder / f"refused {rank()}").write_text(str(error))


def killed(number: int, arguments: list[str]) -> None:
    from kdlib.cli import main

    real = loop.rows_of_step

    def rows(current, *rest):
        if current == number and rank() == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(current, *rest)

    loop.rows_of_step = rows
    main(arguments)


if __name__ == "__main__":
    if sys.argv[1] == "train":
        several(Path(sys.argv[2]))
    else:
        killed(int(sys.argv[2]), sys.argv[3:])
