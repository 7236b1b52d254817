"""A run of all phases in a second or two, in a fork of this process that a test may sabotage."""

import json
import os
import random
import signal
import sys
import tempfile
import traceback
from pathlib import Path
from typing import NamedTuple

from safetensors.torch import load_file

from kdlib import cli
from kdlib.teachers import cache_writer  # noqa: F401  loaded before the fork

FLAGS = (
    "--teacher train --data.vocabulary 300 --data.block 16 --data.fraction 0.5 --data.test-fraction 1"
    " --teacher.size.width 16 --teacher.size.layers 1 --teacher.size.heads 2"
    " --teacher.training.steps 6 --teacher.training.batch 4 --teacher.training.checkpoint-every 2"
    " --student.size.width 8 --student.size.layers 1 --student.size.heads 1"
    " --student.training.steps 6 --student.training.batch 4 --student.training.checkpoint-every 2"
    " --targets.kind sampled --targets.k 5 --controls.equal-time False"
).split()
MODELS = ("teacher", "student", "control_equal_steps")


class Done(NamedTuple):
    code: int  # negative: the signal that ended it
    out: str
    err: str


def write_text(path: Path) -> Path:
    words = random.Random(0).choices(
        "alpha beta gamma delta epsilon zeta eta theta".split(), k=4000
    )
    path.write_text(" ".join(words).replace("zeta eta", "zeta.\n\nEta"))
    return path


def kdlib(*arguments, sabotage=lambda: None) -> Done:
    """The command in a process of its own, after `sabotage` has been called there."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        child = os.fork()
        if child == 0:
            _become(arguments, sabotage, out, err)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        out.seek(0), err.seek(0)
        return Done(status, out.read(), err.read())


def _become(arguments, sabotage, out, err) -> None:
    code = 1
    try:
        os.dup2(out.fileno(), 1), os.dup2(err.fileno(), 2)
        sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sabotage()
        cli.main(list(map(str, arguments)))
        code = 0
    except SystemExit as end:
        code = end.code or 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush(), sys.stderr.flush()
        os._exit(code)


def distil(folder: Path, text: Path, *flags, sabotage=lambda: None) -> Done:
    arguments = ("distill", "tiny", "--text", text, *FLAGS, "--out", folder, *flags)
    return kdlib(*arguments, sabotage=sabotage)


def result(folder: Path) -> tuple[dict, dict]:
    """Weights of all models, and what the report says of them but for its times."""
    weights = {
        (name, key): tensor
        for name in MODELS
        for key, tensor in load_file(folder / name / "model.safetensors").items()
    }
    written = json.loads((folder / "report.json").read_text())
    entries = {name: written[name] for name in MODELS}
    for entry in entries.values():
        entry.pop("tokens_per_second")
    return weights, entries


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
