"""A challenge of seconds: a made-up text, a teacher that was never trained, a budget to match."""

import dataclasses
import hashlib
import random
from pathlib import Path

from kdlib.challenge.definition import Challenge
from kdlib.data.tokenizer import train_tokenizer
from kdlib.jobs.context import open_context, read_text
from kdlib.jobs.data_settings import Data
from kdlib.jobs.recipe import Recipe, StudentSettings, TeacherSettings
from kdlib.jobs.text_guard import text_checksums
from kdlib.models.folders import save_model, wrap_tokenizer
from kdlib.models.from_scratch import ModelSize, new_model, parameter_count
from kdlib.training.schedule import Training

WORDS = "alpha beta gamma delta epsilon zeta eta theta iota kappa".split()
BLOCK = 16
SIZE = ModelSize(8, 1, 1)
TRAINING = Training(steps=6, batch=4, checkpoint_every=2, validate_every=3)


def write_text(folder: Path, seed: int = 0) -> Path:
    """A folder of sixty documents: three of them are for validation, three for the test."""
    folder.mkdir(parents=True)
    choose = random.Random(seed).choices
    for number in range(60):
        sentences = [f"Number {n}: {' '.join(choose(WORDS, k=12))}." for n in range(7)]
        (folder / f"{number}.txt").write_text("\n\n".join(sentences))
    return folder


def write_teacher(folder: Path, text: Path, seed: int = 0) -> Path:
    documents = read_text(Recipe(data=Data(text=str(text)))).splits.training
    tokenizer = wrap_tokenizer(train_tokenizer(documents, 300), BLOCK + 1)
    save_model(new_model(ModelSize(16, 1, 2), len(tokenizer), BLOCK + 1, seed), tokenizer, folder)
    return folder


def recipe_for(text: Path, teacher: Path, **changes) -> Recipe:
    asked = Recipe(
        data=Data(text=str(text), fraction=0.5, test_fraction=1, block=BLOCK),
        teacher=TeacherSettings(source=str(teacher)),
        student=StudentSettings(size=SIZE, training=TRAINING),
        device="cpu",
    )
    return dataclasses.replace(asked, **changes)


def with_training(recipe: Recipe, **changes) -> Recipe:
    training = dataclasses.replace(recipe.student.training, **changes)
    student = dataclasses.replace(recipe.student, training=training)
    return dataclasses.replace(recipe, student=student)


def make_challenge(recipe: Recipe, operations: int) -> Challenge:
    """One that this recipe may enter."""
    found = text_checksums(open_context(recipe, Path("nowhere")).text)
    teacher = Path(recipe.teacher.source)
    student = new_model(SIZE, 300, BLOCK + 1, 0)
    return Challenge(
        data=recipe.data,
        lesson_sha256=found["student_training"],
        validation_sha256=found["validation"],
        test_sha256=found["test"],
        teacher=recipe.teacher.source,
        teacher_sha256=hashlib.sha256((teacher / "model.safetensors").read_bytes()).hexdigest(),
        parameters=parameter_count(student),
        operations=operations,
    )
