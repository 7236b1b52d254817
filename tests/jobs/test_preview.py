"""The look before a run: what it counts is what the run takes, and what it warns of is so."""

import dataclasses

import pytest
from little_runs import little, paragraphs, run, write_file

from kdlib.data.document import Document
from kdlib.data.sources import sotu_folder
from kdlib.data.tokenizer import train_tokenizer
from kdlib.jobs.classroom import open_classroom
from kdlib.jobs.context import open_context
from kdlib.jobs.data_settings import Data
from kdlib.jobs.expectations import expected_bytes, expected_operations
from kdlib.jobs.pipeline import distill
from kdlib.jobs.preview import compare_with_counts, preview
from kdlib.jobs.recipe import Controls, StudentSettings, TargetSettings, TeacherSettings
from kdlib.jobs.students import student_shape
from kdlib.models.folders import load_model, save_model, wrap_tokenizer
from kdlib.models.from_scratch import ModelSize, new_model, parameter_count
from kdlib.models.pruning import Pruning
from kdlib.training.run_state import read_state
from kdlib.training.schedule import Training

CONTEXT, BLOCK = 64, 16
TEACHER = ModelSize(32, 3, 2)
ONCE = Training(steps=4, batch=4, checkpoint_every=2, validate_every=2)  # of the text, or less
OFTEN = dataclasses.replace(ONCE, steps=60, batch=16)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A text and an untrained teacher for it: the folder of both."""
    folder = tmp_path_factory.mktemp("made")
    parts = paragraphs(120)
    write_file(folder / "book.txt", parts)
    trained = train_tokenizer([Document("book", "\n\n".join(parts))], 300)
    teacher = new_model(TEACHER, trained.get_vocab_size(), CONTEXT, seed=1)
    save_model(teacher, wrap_tokenizer(trained, CONTEXT), folder / "teacher")
    return folder


def recipe(made, training, **changes):
    student = changes.pop("student", {"size": ModelSize(8, 1, 1)})
    return little(
        made / "book.txt",
        teacher=TeacherSettings(source=str(made / "teacher")),
        student=StudentSettings(training=training, **student),
        controls=Controls(),
        **changes,
    )


def opened(asked, folder):
    context = open_context(asked, folder)
    return context, open_classroom(context)


PRUNED = {"source": "pruned", "pruning": Pruning(layers=2, mlp_share=0.5)}
CASES = {
    "live targets": (ONCE, {}),
    "precomputed targets": (OFTEN, {}),
    "sparse targets": (OFTEN, {"targets": TargetSettings(kind="sampled", k=3)}),
    "a pruned student": (ONCE, {"student": PRUNED}),
}


@pytest.mark.parametrize("case", CASES)
def test_a_run_takes_the_operations_that_were_expected(case, made, tmp_path):
    training, changes = CASES[case]
    asked = recipe(made, training, **changes)
    context, classroom = opened(asked, tmp_path / "run")
    student = student_shape(context, classroom.teacher, classroom.tokenizer)
    expected = expected_operations(classroom, student)
    run(asked, tmp_path / "run")
    recorded = read_state(tmp_path / "run")["operations"]
    assert expected == sum(recorded.values())
    assert parameter_count(student) == parameter_count(load_model(tmp_path / "run" / "student"))


def test_a_second_seed_trains_again_and_asks_the_teacher_once(made, tmp_path):
    def of_seeds(seeds):
        context, classroom = opened(recipe(made, OFTEN, seeds=seeds), tmp_path / "run")
        student = student_shape(context, classroom.teacher, classroom.tokenizer)
        return expected_operations(classroom, student)

    one, two, three = map(of_seeds, (1, 2, 3))
    assert three - two == two - one
    assert one < two < 2 * one


def test_memory_is_that_of_weights_optimiser_and_hidden_states(made, tmp_path):
    context, classroom = opened(recipe(made, OFTEN), tmp_path / "run")
    student = student_shape(context, classroom.teacher, classroom.tokenizer)
    hidden = len(classroom.blocks) * (BLOCK + 1) * TEACHER.width
    teacher = sum(p.numel() for p in classroom.teacher.parameters())
    learner = sum(p.numel() for p in student.parameters())
    assert expected_bytes(classroom, student) == 4 * (teacher + 4 * learner + hidden)


def test_a_teacher_that_knows_less_than_counting_is_named_before_the_first_step(made, tmp_path):
    said = "\n".join(preview(*opened(recipe(made, ONCE), tmp_path / "run")))
    assert "CAUTION: this teacher knows less of this text" in said
    assert not (tmp_path / "run").exists()


def test_a_teacher_that_knows_the_text_is_not_warned_of(made, tmp_path):
    speech = max(sotu_folder().glob("19*.txt"), key=lambda file: file.stat().st_size)
    asked = recipe(made, ONCE)
    asked = dataclasses.replace(
        asked,
        teacher=TeacherSettings(source="pocket"),
        data=dataclasses.replace(asked.data, text=str(speech), fraction=0.05),
    )
    context, classroom = opened(asked, tmp_path / "run")
    compared = compare_with_counts(classroom)
    assert compared.teacher < compared.ngram
    assert "this teacher knows less" not in "\n".join(preview(context, classroom))


def test_a_test_that_stands_in_the_training_is_named(made, tmp_path):
    once = paragraphs(40)
    (tmp_path / "again.txt").write_text("\n\n".join(once * 6))
    asked = recipe(made, ONCE)
    asked = dataclasses.replace(
        asked, data=dataclasses.replace(asked.data, text=str(tmp_path / "again.txt"))
    )
    said = "\n".join(preview(*opened(asked, tmp_path / "run")))
    assert "CAUTION: 100% of the test's passages stand in the training" in said


@pytest.mark.door("texts")
def test_text_that_is_read_as_a_special_token_is_named(made, tmp_path):
    parts = paragraphs(120)
    parts[3] += " It ends with <|endoftext|>, and again <|endoftext|>."
    write_file(tmp_path / "quoting.txt", parts)
    asked = recipe(made, ONCE)
    asked = dataclasses.replace(
        asked, data=dataclasses.replace(asked.data, text=str(tmp_path / "quoting.txt"))
    )
    said = preview(*opened(asked, tmp_path / "run"))
    assert any("read as such: <|endoftext|> 2 times" in line for line in said)
    assert not any("read as such" in line for line in preview(*opened(recipe(made, ONCE), made)))


def test_a_dry_run_says_what_would_happen_and_leaves_nothing(made, tmp_path, capsys):
    asked = recipe(made, ONCE)
    assert distill(asked, tmp_path / "run", dry_run=True) is None
    printed = capsys.readouterr().out
    for word in ("Text", "Lesson", "Training", "Models", "Memory", "Time", "Teacher"):
        assert f"\n{word}" in f"\n{printed}"
    assert list(tmp_path.iterdir()) == []


def test_a_teacher_that_is_yet_to_be_trained_is_not_looked_at(made, tmp_path, capsys):
    asked = dataclasses.replace(recipe(made, ONCE), teacher=little(made / "book.txt").teacher)
    assert distill(asked, tmp_path / "run", dry_run=True) is None
    printed = capsys.readouterr().out
    assert "of which the student reads" in printed and "Teacher" not in printed


@pytest.mark.door("folders of texts")
def test_a_folder_of_an_embedded_texts_name_is_not_read_in_silence(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    asked = little("sums", data=Data(text="sums", fraction=0.01, block=22, vocabulary=257))

    def cautions():
        return [
            line
            for line in preview(open_context(asked, tmp_path / "run"), None)
            if "CAUTION" in line
        ]

    assert cautions() == []
    (tmp_path / "sums").mkdir()
    (line,) = cautions()
    assert "'sums' is read from the package" in line and "./sums" in line
