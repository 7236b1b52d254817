"""What all phases of one run share: its recipe, its folder, its documents and its machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from accelerate import Accelerator
from torch import nn

from kdlib.data.blocks import Blocks, make_blocks
from kdlib.data.documents import Document, Splits, load_splits, take_fraction
from kdlib.errors import UserError
from kdlib.jobs.recipe import Recipe
from kdlib.machine.devices import make_accelerator, pick_device, pick_precision
from kdlib.models.folders import load_model, load_tokenizer, load_whole_model
from kdlib.models.frozen import freeze
from kdlib.models.locate import find_model
from kdlib.models.pruning import check_pruning
from kdlib.models.vocabularies import check_same_tokens, surplus_mass, trim_vocabulary
from kdlib.teachers.cache_format import CacheContents, cache_contents
from kdlib.teachers.cache_reader import CachedTargets
from kdlib.teachers.spans import PairedBlocks, pair_blocks

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

CONTROLS = ("control_equal_steps", "control_equal_time")
LEARNERS = ("student", *CONTROLS)
MOST_SURPLUS_MASS = 0.01  # of a teacher, outside its vocabulary


@dataclass(frozen=True)
class Job:
    """A recipe made concrete. `seen` is what the student may read, `test` what the report is about."""

    recipe: Recipe
    folder: Path
    accelerator: Accelerator
    precision: str
    documents: Splits
    seen: list[Document]
    test: list[Document]

    @property
    def teacher_folder(self) -> Path:
        """Where the teacher is, or will be once it is trained."""
        source = self.recipe.teacher.source
        return self.folder / "teacher" if source == "train" else find_model(source)

    @property
    def student_folder(self) -> Path:
        """Where the student comes from, if it is a model of its own."""
        return find_model(self.recipe.student.source)

    @property
    def tokenizer_folder(self) -> Path:
        """Whose tokens the learners read: the teacher's, or, where that is asked for, their own."""
        return self.student_folder if self.recipe.student.cross_tokenizer else self.teacher_folder

    def pairs(self, documents: list[Document]) -> PairedBlocks:
        """Documents in blocks for a teacher and a student with different tokenizers."""
        folders = self.teacher_folder, self.student_folder
        teacher, student = (load_tokenizer(folder) for folder in folders)
        return pair_blocks(documents, teacher, student, self.recipe.data.block)

    @property
    def cache_folder(self) -> Path:
        """Where sparse targets are, or will be once they are made."""
        given = self.recipe.targets.cache
        return Path(given).expanduser() if given else self.folder / "targets"

    def cache_contents(
        self, teacher: nn.Module, tokenizer: PreTrainedTokenizerFast, blocks: Blocks
    ) -> CacheContents:
        """What the cache must hold to serve this run."""
        wanted, temperature = self.recipe.targets, self.recipe.objective.temperature
        return cache_contents(
            teacher, tokenizer, blocks, wanted.kind, wanted.k, temperature, wanted.seed
        )

    @property
    def model_folders(self) -> dict[str, Path]:
        """The teacher and the learners that are finished."""
        finished = {name: self.folder / name for name in LEARNERS if self.has(name)}
        return {"teacher": self.teacher_folder} | finished

    def has(self, name: str) -> bool:
        """Whether this model is finished: a folder appears only when everything is in it."""
        return (self.folder / name).is_dir()

    def blocks(self, documents: list[Document], tokenizer: PreTrainedTokenizerFast) -> Blocks:
        return make_blocks(
            documents, tokenizer.backend_tokenizer, self.recipe.data.block, tokenizer.eos_token_id
        )


def open_job(recipe: Recipe, folder: Path) -> Job:
    """Read the text and pick the device. Raises UserError for what cannot work; writes nothing."""
    device = pick_device(recipe.device)
    precision = pick_precision(recipe.precision, device)
    documents = load_splits(recipe.data.text)
    job = Job(
        recipe,
        folder,
        make_accelerator(device, precision, recipe.sharding),
        precision,
        documents,
        seen=take_fraction(documents.training, recipe.data.fraction),
        test=take_fraction(documents.test, recipe.data.test_fraction),
    )
    _check_shares(job)
    if recipe.teacher.source != "train":
        _check_teacher(job)
    return job


def _check_shares(job: Job) -> None:
    """Every process needs a block for each of its micro-batches."""
    processes = job.accelerator.num_processes
    trainings = {"student": job.recipe.student.training}
    if job.recipe.teacher.source == "train":
        trainings["teacher"] = job.recipe.teacher.training
    for name, training in trainings.items():
        if training.batch < processes * training.accumulate:
            raise UserError(
                f"{name}.training.batch: {training.batch} blocks are too few for {processes}"
                f" processes with {training.accumulate} micro-batches each"
            )


def _check_teacher(job: Job) -> None:
    """Load the given teacher once before anything is written, and cut the text with its tokenizer;
    open the cache of its targets where one is given."""
    teacher = freeze(load_whole_model(job.teacher_folder))
    tokenizer = load_tokenizer(job.teacher_folder)
    _check_length("teacher", teacher, job)
    if tokenizer.eos_token_id is None:
        raise UserError(f"teacher: the tokenizer in {job.teacher_folder} has no end-of-text token")
    for documents in (job.documents.validation, job.test):
        job.blocks(documents, tokenizer)
    blocks = job.blocks(job.seen, tokenizer)
    _check_slots(teacher, tokenizer, blocks)
    teacher = trim_vocabulary(teacher, tokenizer)
    _check_student(job, teacher, tokenizer)
    if job.recipe.targets.kind != "exact":
        contents = job.cache_contents(teacher, tokenizer, blocks)
        if job.recipe.targets.cache:
            CachedTargets(job.cache_folder, contents, blocks)


def _check_length(name: str, model: nn.Module, job: Job) -> None:
    longest = getattr(model.config, "max_position_embeddings", job.recipe.data.block + 1)
    if longest <= job.recipe.data.block:
        raise UserError(
            f"data.block: {job.recipe.data.block} is more than the {name} reads ({longest} tokens);"
            f" use {longest - 1} or less"
        )


def _check_slots(teacher: nn.Module, tokenizer: PreTrainedTokenizerFast, blocks: Blocks) -> None:
    """A model gives next to nothing to slots that were no token in its training."""
    mass = surplus_mass(teacher, tokenizer, blocks.ids[:1])
    if mass > MOST_SURPLUS_MASS:
        raise UserError(
            f"teacher: it gives {mass:.1%} of its probability to slots beyond its tokenizer;"
            " this tokenizer is not the one that it was trained with"
        )


def _check_student(job: Job, teacher: nn.Module, tokenizer: PreTrainedTokenizerFast) -> None:
    """Whether the student that is asked for can be had, and learn from this teacher."""
    settings = job.recipe.student
    if settings.source == "pruned":
        check_pruning(teacher, settings.pruning)
    elif settings.source != "new":
        own = load_tokenizer(job.student_folder)
        if not settings.cross_tokenizer:
            check_same_tokens(tokenizer, own)
        elif own.eos_token_id is None:
            raise UserError(f"student: the tokenizer in {job.student_folder} has no end-of-text")
        _check_length("student", load_model(job.student_folder), job)
