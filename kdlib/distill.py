"""The whole job, phase by phase: tokenizer, teacher, student, controls, report.

Each finished phase leaves a folder or an entry in the run's state, so a run that stops anywhere goes
on where it was.
"""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path

import torch
from accelerate import Accelerator
from torch import nn

from kdlib import data, evaluate, machine, models, recipes, runs, teachers
from kdlib.errors import UserError
from kdlib.objectives import Objective
from kdlib.recipes import Recipe
from kdlib.train import Phase, Training, train

STUDENTS = ("student", "control_equal_steps", "control_equal_time")
WITHOUT_TEACHER = Objective.from_lambda(0.0)
STORED_AS = {"float32": torch.float32, "bfloat16": torch.bfloat16}
SAMPLE_PROMPT_TOKENS, SAMPLE_NEW_TOKENS, SAMPLES = 24, 48, 3


def distill(
    recipe: Recipe, name: str, folder: Path, *, resume: bool = False, overwrite: bool = False
) -> dict | None:
    """Run the recipe in `folder` and return its report; None where it stops before the report.

    Whatever can be refused is refused before the folder is touched. Raises UserError for input that
    cannot be used, Interrupted after a signal.
    """
    if resume:
        runs.require(folder)
        _refuse_another_recipe(recipe, recipes.of_run(folder))
    run = _Run(recipe, folder)
    if not resume:
        runs.prepare(folder, name, recipes.to_toml(recipe), overwrite=overwrite)
    with runs.claimed(folder):
        return run.go()


def _refuse_another_recipe(asked: Recipe, saved: Recipe) -> None:
    differing = recipes.differing_fields(saved, asked)
    if differing:
        raise UserError(
            f"resume: {', '.join(differing)} is other than in the run; leave it as it was, or start"
            " a new run with another --out"
        )


def evaluate(folder: Path) -> dict:
    """Measure a run's finished models again and write its report anew."""
    runs.require(folder)
    run = _Run(recipes.of_run(folder), folder)
    with runs.claimed(folder):
        return run.report()


def continuations(folder: Path, prompt: str, tokens: int, seed: int) -> dict[str, str]:
    """How each of a run's models goes on from the prompt."""
    runs.require(folder)
    folders = model_folders(recipes.of_run(folder), folder)
    tokenizer = models.load_tokenizer(folders["teacher"])
    ids = tokenizer(prompt, return_tensors="pt").input_ids
    return {
        name: generate(models.load_model(path), tokenizer, ids, tokens, seed)
        for name, path in folders.items()
    }


def model_folders(recipe: Recipe, folder: Path) -> dict[str, Path]:
    """The teacher's folder, wherever it is, and those of the students that are finished."""
    teacher = {"train": folder / "teacher", "pocket": models.POCKET_TEACHER}.get(
        recipe.teacher.source, Path(recipe.teacher.source).expanduser()
    )
    finished = {name: folder / name for name in STUDENTS if (folder / name).is_dir()}
    return {"teacher": teacher} | finished


class _Run:
    """What the phases of one run share."""

    def __init__(self, recipe: Recipe, folder: Path) -> None:
        self.recipe, self.folder = recipe, folder
        device = machine.pick_device(recipe.device)
        self.precision = machine.pick_precision(recipe.precision, device)
        self.documents = data.load_splits(recipe.data.text)
        self.seen = data.take_fraction(self.documents.training, recipe.data.fraction)
        if recipe.teacher.source != "train":
            self._load_teacher()
            for documents in (self.seen, self.documents.validation, self.documents.test):
                self._blocks(documents)  # refuses what is too short
        self.accelerator: Accelerator = machine.make_accelerator(device, self.precision)

    def go(self) -> dict | None:
        self.state = runs.read_state(self.folder)
        if self.recipe.teacher.source == "train":
            if not self._is_done("teacher"):
                self._train_teacher()
            self._load_teacher()
        if self.recipe.until == "teacher":
            return None
        self._train_students()
        return self.report()

    def _load_teacher(self) -> None:
        folder = model_folders(self.recipe, self.folder)["teacher"]
        self.tokenizer = models.load_tokenizer(folder)
        self.teacher = models.freeze(models.load_model(folder))

    # --- Phases ---------------------------------------------------------------------------------

    def _train_teacher(self) -> None:
        settings, block = self.recipe.teacher, self.recipe.data.block
        started = time.perf_counter()
        raw = data.train_tokenizer(self.documents.training, self.recipe.data.vocabulary)
        self.tokenizer = models.wrap_tokenizer(raw, context=2 * block)
        self._record("tokenizer", time.perf_counter() - started)
        teacher = models.new_model(settings.size, len(self.tokenizer), 2 * block, self.recipe.seed)
        self._train("teacher", teacher, self.documents.training, WITHOUT_TEACHER, settings.training)
        dtype = STORED_AS[settings.precision_on_disk]
        models.save_model(teacher, self.tokenizer, self.folder / "teacher", dtype)

    def _train_students(self) -> None:
        settings, objective = self.recipe.student, self.recipe.objective.objective()
        if not self._is_done("student"):
            blocks = self._blocks(self.seen)
            started = time.perf_counter()
            teacher_logits = self._teacher_logits(blocks, settings.training)
            self._record("teacher_pass", time.perf_counter() - started)
            self._train_student("student", objective, settings.training, teacher_logits)
        if self.recipe.controls.equal_steps or self.recipe.controls.equal_time:
            self._train_student("control_equal_steps", WITHOUT_TEACHER, settings.training)
        if self.recipe.controls.equal_time:
            training = dataclasses.replace(settings.training, steps=self._steps_of_equal_time())
            self._train_student("control_equal_time", WITHOUT_TEACHER, training)

    def _steps_of_equal_time(self) -> int:
        """How many steps without a teacher take as long as the student took with one."""
        seconds = self.state["seconds"]
        with_teacher = seconds["teacher_pass"] + seconds["student"]
        per_step = seconds["control_equal_steps"] / self.recipe.student.training.steps
        return round(with_teacher / per_step)

    def _teacher_logits(self, blocks: data.Blocks, training: Training) -> teachers.TeacherLogits:
        self.teacher.to(self.accelerator.device)
        sees_data_twice = training.steps * training.batch > len(blocks)
        if sees_data_twice and teachers.can_remember(self.teacher, blocks):
            return teachers.remember(self.teacher, blocks)
        return teachers.run_each_time(self.teacher)

    def _train_student(self, phase: str, objective, training: Training, teacher_logits=None) -> None:
        if self._is_done(phase):
            return
        context = 2 * self.recipe.data.block
        student = models.new_model(
            self.recipe.student.size, self.teacher.config.vocab_size, context, self.recipe.seed
        )
        models.check_pair(self.teacher, student)
        self._train(phase, student, self.seen, objective, training, teacher_logits)
        models.save_model(student, self.tokenizer, self.folder / phase)

    def _train(self, name: str, model: nn.Module, documents, objective, training, teacher_logits=None):
        phase = Phase(name, self.folder, recipes.fingerprint(self.recipe), self.recipe.seed)
        blocks, validation = self._blocks(documents), self._blocks(self.documents.validation)
        end = train(
            model, blocks, validation, objective, training, phase, self.accelerator, teacher_logits
        )
        steps_times_tokens = training.steps * training.batch * self.recipe.data.block
        self.state["training_tokens"][name] = steps_times_tokens
        self.state["steps"][name] = training.steps
        self._record(name, end.seconds)

    # --- The report -----------------------------------------------------------------------------

    def report(self) -> dict:
        """Measure what was saved: every model is loaded from its folder."""
        from kdlib.report import FORMAT, write_report

        self.state = runs.read_state(self.folder)
        started = time.perf_counter()
        folders = model_folders(self.recipe, self.folder)
        loaded = {name: models.load_model(folder) for name, folder in folders.items()}
        test = self._blocks(self.documents.test)
        sums = evaluate.score(loaded, "teacher", test, self.accelerator)
        entries = {
            name: evaluate.summarise(sums[name], test.bytes, is_teacher=name == "teacher")
            | evaluate.describe(loaded[name], folder)
            | self._training_facts(name)
            for name, folder in folders.items()
        }
        samples = self._samples(loaded)
        self._record("evaluation", time.perf_counter() - started)
        report = {
            "format": FORMAT,
            "name": self.state["name"],
            "recipe": dataclasses.asdict(self.recipe),
            "seed": self.recipe.seed,
            "versions": machine.versions(),
            "machine": machine.describe(self.accelerator, self.precision),
            "data": self._data_facts(),
            **entries,
            **_comparisons(sums),
            "seconds": self.state["seconds"] | {"total": sum(self.state["seconds"].values())},
            "peak_memory_bytes": machine.peak_memory_bytes(),
            "samples": samples,
        }
        write_report(report, runs.Metrics(self.folder).rows(), self.folder)
        return report

    def _training_facts(self, name: str) -> dict:
        if name not in self.state["steps"]:
            return {}
        return {
            "steps": self.state["steps"][name],
            "training_tokens": self.state["training_tokens"][name],
        }

    def _data_facts(self) -> dict:
        splits = {
            "training": self.documents.training,
            "student_training": self.seen,
            "validation": self.documents.validation,
            "test": self.documents.test,
        }
        return {"text": self.recipe.data.text} | {
            name: {
                "documents": len(documents),
                "bytes": (blocks := self._blocks(documents)).bytes,
                "tokens": blocks.predicted_tokens,
            }
            for name, documents in splits.items()
        }

    def _samples(self, loaded: dict[str, nn.Module]) -> list[dict[str, str]]:
        """How each model goes on from the openings of held-out documents, same randomness for all."""
        samples = []
        for document in self.documents.test[-SAMPLES:]:
            opening = self.tokenizer(document.text, return_tensors="pt").input_ids[:, :SAMPLE_PROMPT_TOKENS]
            texts = {
                name: generate(model, self.tokenizer, opening, SAMPLE_NEW_TOKENS, self.recipe.seed)
                for name, model in loaded.items()
            }
            samples.append({"prompt": self.tokenizer.decode(opening[0])} | texts)
        return samples

    # --- Small things ---------------------------------------------------------------------------

    def _blocks(self, documents: list[data.Document]) -> data.Blocks:
        return data.make_blocks(
            documents,
            self.tokenizer.backend_tokenizer,
            self.recipe.data.block,
            self.tokenizer.eos_token_id,
        )

    def _is_done(self, name: str) -> bool:
        return (self.folder / name).is_dir()

    def _record(self, phase: str, seconds: float) -> None:
        self.state["seconds"][phase] = seconds
        runs.write_state(self.folder, self.state)


def generate(model: nn.Module, tokenizer, prompt: torch.Tensor, new_tokens: int, seed: int) -> str:
    """Sample a continuation (temperature 0.8, of the 40 likeliest tokens); the same seed, the same text."""
    torch.manual_seed(seed)
    out = model.generate(
        prompt.to(model.device),
        attention_mask=torch.ones_like(prompt),
        max_new_tokens=new_tokens,
        do_sample=True,
        temperature=0.8,
        top_k=40,
        pad_token_id=tokenizer.eos_token_id,
    )
    return tokenizer.decode(out[0, prompt.shape[1] :], skip_special_tokens=True)


def _comparisons(sums: dict[str, evaluate.BlockSums]) -> dict:
    controls = [name for name in STUDENTS[1:] if name in sums]
    comparisons = {
        "advantage": {name: evaluate.advantage(sums["student"], sums[name]) for name in controls}
    }
    if "control_equal_steps" in sums:
        gap = evaluate.gap_closed(sums["teacher"], sums["student"], sums["control_equal_steps"])
        if gap is not None:
            comparisons["gap_closed"] = gap
    return comparisons
