"""What all phases of one run share: its recipe, its folder, its documents and its machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from accelerate import Accelerator

from kdlib import data, machine, models
from kdlib.data import Blocks, Document, Splits
from kdlib.errors import UserError
from kdlib.recipes import Recipe

CONTROLS = ("control_equal_steps", "control_equal_time")
LEARNERS = ("student", *CONTROLS)


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
        places = {"train": self.folder / "teacher", "pocket": models.POCKET_TEACHER}
        return places.get(source, Path(source).expanduser())

    @property
    def model_folders(self) -> dict[str, Path]:
        """The teacher and the learners that are finished."""
        finished = {name: self.folder / name for name in LEARNERS if self.has(name)}
        return {"teacher": self.teacher_folder} | finished

    def has(self, name: str) -> bool:
        """Whether this model is finished: a folder appears only when everything is in it."""
        return (self.folder / name).is_dir()

    def blocks(self, documents: list[Document], tokenizer) -> Blocks:
        return data.make_blocks(
            documents, tokenizer.backend_tokenizer, self.recipe.data.block, tokenizer.eos_token_id
        )


def open_job(recipe: Recipe, folder: Path) -> Job:
    """Read the text and pick the device. Raises UserError for what cannot work; writes nothing."""
    device = machine.pick_device(recipe.device)
    precision = machine.pick_precision(recipe.precision, device)
    documents = data.load_splits(recipe.data.text)
    job = Job(
        recipe,
        folder,
        machine.make_accelerator(device, precision),
        precision,
        documents,
        seen=data.take_fraction(documents.training, recipe.data.fraction),
        test=data.take_fraction(documents.test, recipe.data.test_fraction),
    )
    if recipe.teacher.source != "train":
        _check_teacher(job)
    return job


def _check_teacher(job: Job) -> None:
    """Load the given teacher once before anything is written, and cut the text with its tokenizer."""
    teacher = models.load_model(job.teacher_folder)
    longest = getattr(teacher.config, "max_position_embeddings", job.recipe.data.block + 1)
    if longest <= job.recipe.data.block:
        raise UserError(
            f"data.block: {job.recipe.data.block} is more than the teacher reads ({longest} tokens);"
            f" use {longest - 1} or less"
        )
    tokenizer = models.load_tokenizer(job.teacher_folder)
    if tokenizer.eos_token_id is None:
        raise UserError(f"teacher: the tokenizer in {job.teacher_folder} has no end-of-text token")
    for documents in (job.seen, job.documents.validation, job.test):
        job.blocks(documents, tokenizer)
