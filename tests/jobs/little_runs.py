"""Whole runs of the smallest kind, in this process: seconds each."""

import dataclasses
import json
import random
from pathlib import Path

from kdlib.jobs.data_settings import Data
from kdlib.jobs.pipeline import distill
from kdlib.jobs.recipe import Controls, Recipe, StudentSettings, TeacherSettings
from kdlib.models.from_scratch import ModelSize
from kdlib.reports.fields import leaves
from kdlib.training.schedule import Training

WORDS = "alpha beta gamma delta epsilon zeta eta theta iota kappa".split()
TRAINING = Training(steps=6, batch=4, checkpoint_every=2, validate_every=3)

# Flags of `kdlib distill tiny` for a run whose checkpoints come soon.
QUICK = (
    "--student.training.steps", "30", "--student.training.checkpoint-every", "10",
    "--student.training.validate-every", "10", "--controls.equal-compute", "False",
)  # fmt: skip


def paragraphs(count, seed=0):
    """Sentences, each with its own number and words in no order."""
    choose = random.Random(seed).choices
    return [f"Number {n}: {' '.join(choose(WORDS, k=12))}." for n in range(count)]


def write_file(path: Path, parts) -> Path:
    path.write_text("\n\n".join(parts))
    return path


def little(text: Path, **changes) -> Recipe:
    """A recipe that trains all of its models, its teacher too."""
    asked = Recipe(
        data=Data(text=str(text), fraction=0.5, test_fraction=1, block=16, vocabulary=300),
        teacher=TeacherSettings(source="train", size=ModelSize(16, 1, 2), training=TRAINING),
        student=StudentSettings(size=ModelSize(8, 1, 1), training=TRAINING),
        controls=Controls(equal_compute=False),
        device="cpu",
    )
    return dataclasses.replace(asked, **changes)


def run(recipe: Recipe, folder: Path, **how):
    return distill(recipe, folder, "little", **how)


VARIES = ("seconds.", "machine.", "peak_")  # with the machine and with what else it does


def lasting(report):
    """Every leaf of a report that a second run must give again, with its path."""
    return [
        (path, value)
        for path, value in leaves(report)
        if not path.startswith(VARIES) and not path.endswith(("tokens_per_second", "writing_share"))
    ]


def result(folder: Path):
    """The report of a run, as it is written."""
    return json.loads((folder / "report.json").read_text())
