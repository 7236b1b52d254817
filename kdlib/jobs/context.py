"""What the phases of a run share, in three parts, so that each asks for no more than it needs.

`RunModels`: where the models are and how they read; the recipe and the folder tell. `RunText`: the documents, and who
may read which; the text must be there. `RunContext`: both, and a device.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from accelerate import Accelerator

from kdlib.data.blocks import Blocks, make_blocks
from kdlib.data.documents import Document, Splits, load_splits, take_fraction
from kdlib.jobs.recipe import Recipe
from kdlib.machine.devices import make_accelerator, pick_device, pick_precision
from kdlib.models.folders import load_tokenizer
from kdlib.models.locate import find_model
from kdlib.reports.fields import LEARNERS
from kdlib.teachers.spans import PairedBlocks, pair_blocks

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


@dataclass(frozen=True)
class RunModels:
    """Where a run's models are, or will be, and how they read: known from recipe and folder alone."""

    recipe: Recipe
    folder: Path

    @property
    def teacher(self) -> Path:
        """Where the teacher is, or will be once it is trained."""
        source = self.recipe.teacher.source
        return self.folder / "teacher" if source == "train" else find_model(source)

    @property
    def student_source(self) -> Path:
        """Where the student comes from, if it is a model of its own."""
        return find_model(self.recipe.student.source)

    @property
    def tokenizer(self) -> Path:
        """Whose tokens the learners read: the teacher's, or, where that is asked for, their own."""
        return self.student_source if self.recipe.student.cross_tokenizer else self.teacher

    @property
    def targets(self) -> Path:
        """Where sparse targets are, or will be once they are made."""
        cache = self.recipe.targets.cache
        return Path(cache).expanduser() if cache else self.folder / "targets"

    @property
    def finished(self) -> dict[str, Path]:
        """The teacher and the learners that are finished."""
        learners = {name: self.folder / name for name in LEARNERS if self.has(name)}
        return {"teacher": self.teacher} | learners

    def has(self, name: str) -> bool:
        """Whether this model is finished: a folder appears only when everything is in it."""
        return (self.folder / name).is_dir()

    def blocks(self, documents: list[Document], tokenizer: PreTrainedTokenizerFast) -> Blocks:
        """Documents as blocks of the recipe's length."""
        return make_blocks(
            documents, tokenizer.backend_tokenizer, self.recipe.data.block, tokenizer.eos_token_id
        )

    def pairs(self, documents: list[Document]) -> PairedBlocks:
        """Documents in blocks for a teacher and a student with different tokenizers."""
        teacher, student = map(load_tokenizer, (self.teacher, self.student_source))
        return pair_blocks(documents, teacher, student, self.recipe.data.block)


@dataclass(frozen=True)
class RunText:
    """The documents of a run. The student reads `seen`; the report is about `test`."""

    splits: Splits
    seen: list[Document]
    test: list[Document]


@dataclass(frozen=True)
class RunContext:
    """A recipe made concrete: its models, its text and the machine that it runs on."""

    recipe: Recipe
    folder: Path
    text: RunText
    accelerator: Accelerator
    precision: str

    @property
    def models(self) -> RunModels:
        return RunModels(self.recipe, self.folder)


def open_context(recipe: Recipe, folder: Path) -> RunContext:
    """Read the text and pick the device; nothing is written, no model is loaded.

    Raises:
        UserError: for a text that cannot be read or split, and a device that is not there.
    """
    accelerator, precision = open_device(recipe)
    return RunContext(recipe, folder, read_text(recipe), accelerator, precision)


def open_device(recipe: Recipe) -> tuple[Accelerator, str]:
    """The recipe's device and ranks, and the precision of the matrix products there."""
    device = pick_device(recipe.device)
    precision = pick_precision(recipe.precision, device)
    return make_accelerator(device, precision, recipe.sharding), precision


def read_text(recipe: Recipe) -> RunText:
    """The recipe's documents, split, and the shares of them that are used."""
    data = recipe.data
    splits = load_splits(data.text)
    return RunText(
        splits,
        seen=take_fraction(splits.training, data.fraction),
        test=take_fraction(splits.test, data.test_fraction),
    )
