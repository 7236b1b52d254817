"""What the phases of a run share, in three parts, so that each takes no more than it needs.

- `RunModels`: where the models are and how text is cut for them; needs recipe and folder only.
- `RunText`: the documents, and which of them are read by whom; needs the text.
- `RunContext`: both, and a device.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from accelerate import Accelerator

from kdlib.data.blocks import Blocks
from kdlib.data.copies import Overlap, overlap
from kdlib.data.document import Document
from kdlib.data.documents import load_text
from kdlib.data.facts import TextFacts
from kdlib.data.separators import AUTO
from kdlib.data.shares import take_fraction, take_pieces
from kdlib.data.splits import Splits
from kdlib.jobs.learners import learners
from kdlib.jobs.recipe import Recipe
from kdlib.jobs.tokenising import tokenise
from kdlib.machine.devices import make_accelerator, pick_device, pick_precision
from kdlib.machine.progress import watched
from kdlib.models.folders import load_tokenizer
from kdlib.models.locate import find_model
from kdlib.models.lossless import refuse_lost_text
from kdlib.records.loading import Fitting, load_records
from kdlib.records.record import as_records, said
from kdlib.records.rows import fitting
from kdlib.records.splits import take_share
from kdlib.records.template import ChatTemplate
from kdlib.reports.fields import MODELS
from kdlib.teachers.spans import PairedBlocks, pair_blocks

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


@dataclass(frozen=True)
class RunModels:
    """Where a run's models are or will be, and how text is cut for them.

    Attributes:
        recipe: the run's recipe.
        folder: the run's folder.
    """

    recipe: Recipe
    folder: Path

    @property
    def teacher(self) -> Path:
        """Folder of the teacher, which may still have to be trained."""
        source = self.recipe.teacher.source
        return self.folder / "teacher" if source == "train" else find_model(source)

    @property
    def student_source(self) -> Path:
        """Folder of the model that the student starts from, if it starts from a stored one."""
        return find_model(self.recipe.student.source)

    @property
    def tokenizer(self) -> Path:
        """Folder of the model whose tokenizer the learners use: the teacher or, with
        ``cross_tokenizer``, the student's own source."""
        return self.student_source if self.recipe.student.cross_tokenizer else self.teacher

    @property
    def targets(self) -> Path:
        """Folder of the sparse targets, which may still have to be made."""
        cache = self.recipe.targets.cache
        return Path(cache).expanduser() if cache else self.folder / "targets"

    @property
    def finished(self) -> dict[str, Path]:
        """Folders of the teacher and of the finished learners of every seed, by name."""
        names = [learner.name for learner in learners(self.recipe)]
        found = {name: self.folder / name for name in names if self.has(name)}
        return {"teacher": self.teacher} | found

    @property
    def of_first_seed(self) -> dict[str, Path]:
        """Those of them that a report shows in full: the teacher and the first seed's learners."""
        return {name: path for name, path in self.finished.items() if name in MODELS}

    def has(self, name: str) -> bool:
        """Whether this model is finished: its folder appears only when everything is in it.

        An empty folder is none of ours, and is replaced.
        """
        folder = self.folder / name
        return folder.is_dir() and any(folder.iterdir())

    def blocks(self, documents: list[Document], tokenizer: PreTrainedTokenizerFast) -> Blocks:
        """Cut documents into blocks of the recipe's length, each text once per process."""
        data = self.recipe.data
        return tokenise(documents, tokenizer, data.block, data.separator, data.template)

    @property
    def teachers_separator(self) -> str:
        """The recipe's is a token of the learners; a teacher that reads others has its own."""
        return AUTO if self.recipe.student.cross_tokenizer else self.recipe.data.separator

    def teachers_blocks(
        self, documents: list[Document], tokenizer: PreTrainedTokenizerFast
    ) -> Blocks:
        """The same in the teacher's tokens, with the separator that it knows."""
        data = self.recipe.data
        return tokenise(documents, tokenizer, data.block, self.teachers_separator, data.template)

    def pairs(self, documents: list[Document]) -> PairedBlocks:
        """Cut documents into blocks for a teacher and a student with different tokenizers."""
        teacher, student = map(load_tokenizer, (self.teacher, self.student_source))
        for tokenizer in (teacher, student):
            refuse_lost_text(tokenizer, documents)
        data = self.recipe.data
        return pair_blocks(documents, teacher, student, data.block, separator=data.separator)


@dataclass(frozen=True)
class RunText:
    """The documents of a run.

    Attributes:
        splits: all documents, split into training, validation and test.
        seen: the training documents that the student and its controls read.
        test: the pieces of the test documents that the report is measured on.
        facts: what was read, and what was left out and why.
    """

    splits: Splits
    seen: list[Document]
    test: list[Document]
    facts: TextFacts

    @cached_property
    def overlap(self) -> Overlap:
        """How much of the test stands in the training documents, word for word."""
        training, test = map(said, (self.splits.training, self.splits.test))
        return overlap(watched("comparing", training), test)

    @property
    def named_splits(self) -> dict[str, list[Document]]:
        """What a report says about the text: each part by its name there (`SPLITS`)."""
        return {
            "training": self.splits.training,
            "student_training": self.seen,
            "validation": self.splits.validation,
            "test": self.test,
        }


@dataclass(frozen=True)
class RunContext:
    """A recipe made concrete: its models, its text and its device.

    Attributes:
        recipe: the run's recipe.
        folder: the run's folder.
        text: the documents.
        accelerator: device, mixed precision and ranks.
        precision: of the matrix products, "bf16" or "fp32".
    """

    recipe: Recipe
    folder: Path
    text: RunText
    accelerator: Accelerator
    precision: str

    @property
    def models(self) -> RunModels:
        """The models of the run."""
        return RunModels(self.recipe, self.folder)


def open_context(recipe: Recipe, folder: Path) -> RunContext:
    """Read the text and pick the device. Nothing is written and no model is loaded.

    Args:
        recipe: the run's recipe.
        folder: the run's folder, which need not exist yet.

    Raises:
        UserError: for a text that cannot be read or split, and for a device that is not there.
    """
    accelerator, precision = open_device(recipe)
    return RunContext(recipe, folder, read_text(recipe), accelerator, precision)


def open_device(recipe: Recipe) -> tuple[Accelerator, str]:
    """Pick the recipe's device.

    Args:
        recipe: its ``device``, ``precision`` and ``sharding`` are used.

    Returns:
        Device and ranks, and the precision of the matrix products, "bf16" or "fp32".

    Raises:
        UserError: for a device that is not there or that does not support the precision.
    """
    device = pick_device(recipe.device)
    precision = pick_precision(recipe.precision, device)
    return make_accelerator(device, precision, recipe.sharding), precision


def read_text(recipe: Recipe) -> RunText:
    """Read and split the recipe's documents, and take the shares of them that are used.

    Args:
        recipe: its ``data`` is used.

    Raises:
        UserError: for a text that cannot be read or split.
    """
    data = recipe.data
    loaded = (
        load_records(data.records, data.validation, data.test, fitting_records(recipe), watched)
        if data.records
        else load_text(data.text, data.validation, data.test, watched)
    )
    splits = loaded.splits
    training, test = as_records(splits.training), as_records(splits.test)
    return RunText(
        splits,
        seen=list(take_share(training, data.fraction))
        if training
        else take_fraction(splits.training, data.fraction),
        test=list(take_share(test, data.test_fraction))
        if test
        else take_pieces(splits.test, data.test_fraction),
        facts=loaded.facts,
    )


def fitting_records(recipe: Recipe) -> Fitting:
    """What takes the records that a recipe's models can read, as its template writes them."""
    tokenizer = load_tokenizer(find_model(recipe.teacher.source))
    template = ChatTemplate(tokenizer, recipe.data.template)
    return partial(fitting, template=template, length=recipe.data.block)
