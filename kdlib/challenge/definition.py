"""What is fixed in the challenge. It is a value, so that a test can hold a tiny one."""

from __future__ import annotations

from dataclasses import dataclass

from kdlib.jobs.data_settings import Data
from kdlib.jobs.recipe import Controls, Recipe, StudentSettings, TeacherSettings

NO_CONTROLS = Controls(equal_steps=False, equal_compute=False, off_policy=False)


@dataclass(frozen=True)
class Challenge:
    """A teacher, a lesson, an exam and a budget.

    Attributes:
        data: the text, and the shares of it that are used.
        lesson_sha256: of the documents that a student may read (see `text_sha256`).
        validation_sha256: of the documents on which entries are compared.
        test_sha256: of the pieces of documents on which an accepted entry is measured.
        teacher: the only one that may be asked, as a recipe names it.
        teacher_sha256: of its weights.
        parameters: the most that a student may have.
        operations: the most that one training may take, the teacher's forward passes included.
        seeds: of the trainings that make an entry. They are none that anybody tunes with.
        tuning_seed: of a single training that makes no entry; the one that recipes have.
    """

    data: Data
    lesson_sha256: str
    validation_sha256: str
    test_sha256: str
    teacher: str
    teacher_sha256: str
    parameters: int
    operations: int
    seeds: range = range(100, 103)
    tuning_seed: int = 0

    @property
    def base(self) -> Recipe:
        """The recipe that every entry begins with."""
        return Recipe(
            data=self.data,
            teacher=TeacherSettings(source=self.teacher),
            student=StudentSettings(source="new"),
            controls=NO_CONTROLS,
        )


CHALLENGE = Challenge(
    data=Data(text="sotu", fraction=0.1, test_fraction=0.4, block=128),
    lesson_sha256="f484966fb2452d5f0711770e36fdfdfc8c783299a2bd3388a2ef5ed91e933d51",
    validation_sha256="9139c02ce04fbd57b5400b324ed06f8e48806f97f31c63706d01a819d6f079bb",
    test_sha256="49c88f62442906cc26b50c10a121f57a111e5e75d7dcb14360335bd0b6458b5e",
    teacher="pocket",
    teacher_sha256="c7c4eae908bc04ce0e1e7644092a57b89818c777a417899533169e630ce9d634",
    parameters=1_100_000,
    # Exactly what the entry "pocket" takes; a test counts it again.
    operations=15_421_604_409_600,
)
