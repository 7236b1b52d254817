"""A run of all phases in a second or two, in a fork of this process that a test may sabotage."""

import json
import os
import random
import signal
from pathlib import Path

from forked import Done, kdlib
from safetensors.torch import load_file

FLAGS = (
    "--teacher train --data.vocabulary 300 --data.block 16 --data.fraction 0.5 --data.test-fraction 1"
    " --teacher.size.width 16 --teacher.size.layers 1 --teacher.size.heads 2"
    " --teacher.training.steps 6 --teacher.training.batch 4 --teacher.training.checkpoint-every 2"
    " --student.size.width 8 --student.size.layers 1 --student.size.heads 1"
    " --student.training.steps 6 --student.training.batch 4 --student.training.checkpoint-every 2"
    " --targets.kind sampled --targets.k 5 --controls.equal-compute False --seeds 2"
).split()
OF_FIRST_SEED = ("teacher", "student", "control_equal_steps")
MODELS = (*OF_FIRST_SEED, "seed_1/student", "seed_1/control_equal_steps")


def write_text(path: Path) -> Path:
    words = random.Random(0).choices(
        "alpha beta gamma delta epsilon zeta eta theta".split(), k=4000
    )
    path.write_text(" ".join(words).replace("zeta eta", "zeta.\n\nEta"))
    return path


def distil(folder: Path, text: Path, *flags, sabotage=lambda: None) -> Done:
    arguments = ("distill", "tiny", "--text", text, *FLAGS, "--out", folder, *flags)
    return kdlib(*arguments, sabotage=sabotage)


def result(folder: Path) -> tuple[dict, dict]:
    """Weights of all models, and what the report says of them and of their texts but for its times."""
    weights = {
        (name, key): tensor
        for name in MODELS
        for key, tensor in load_file(folder / name / "model.safetensors").items()
    }
    written = json.loads((folder / "report.json").read_text())
    for name in OF_FIRST_SEED:
        written[name].pop("tokens_per_second")
    kept = (*OF_FIRST_SEED, "ngram", "trainings", "advantage", "verdict", "data", "operations")
    return weights, {name: written[name] for name in kept}


def at_call(module, name: str, number: int, strike):
    """A sabotage: the function's call of that number strikes before anything else."""

    def sabotage() -> None:
        function, calls = getattr(module, name), []

        def struck(*args, **kwargs):
            calls.append(1)
            if len(calls) == number:
                strike()
            return function(*args, **kwargs)

        setattr(module, name, struck)

    return sabotage


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
