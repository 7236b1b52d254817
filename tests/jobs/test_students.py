"""Where students and their controls start, and whole runs with each kind of start."""

import dataclasses
import json
import types

import pytest
import torch

from kdlib.data.blocks import Blocks, make_blocks
from kdlib.data.document import Document
from kdlib.data.tokenizer import train_tokenizer
from kdlib.errors import UserError
from kdlib.jobs import students
from kdlib.jobs.classroom import open_classroom
from kdlib.jobs.context import open_context
from kdlib.jobs.pipeline import distill
from kdlib.jobs.preview import compare_with_counts
from kdlib.jobs.recipe import (
    Controls,
    Data,
    ObjectiveSettings,
    Recipe,
    StudentSettings,
    TargetSettings,
    TeacherSettings,
)
from kdlib.jobs.samples import continuations
from kdlib.jobs.students import _sample, new_student
from kdlib.models import pruning
from kdlib.models.folders import load_model, load_tokenizer, save_model, wrap_tokenizer
from kdlib.models.from_scratch import ModelSize, new_model
from kdlib.models.frozen import check_pair, freeze
from kdlib.training.metrics import Metrics
from kdlib.training.schedule import Training

WORDS = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa"]
TEXT = "\n\n".join(" ".join(WORDS[n * k % 10] for k in range(1, 30)) + "." for n in range(300))
SPARE_SLOTS = 2  # of the teacher, beyond its tokenizer


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A text and a teacher with more output slots than tokens."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "book.txt").write_text(TEXT)
    trained = train_tokenizer([Document("book", TEXT)], 300)
    tokenizer = wrap_tokenizer(trained, context=64)
    teacher = new_model(ModelSize(32, 3, 2), len(tokenizer) + SPARE_SLOTS, 64, seed=1)
    save_model(teacher, tokenizer, folder / "teacher")
    return folder


def recipe(made, **student):
    training = Training(steps=3, batch=2, checkpoint_every=2, validate_every=2)
    return Recipe(
        data=Data(text=str(made / "book.txt"), fraction=0.5, block=16),
        teacher=TeacherSettings(source=str(made / "teacher")),
        student=StudentSettings(training=training, **student),
        controls=Controls(equal_compute=False),
    )


def run(made, tmp_path, **student):
    report = distill(recipe(made, **student), tmp_path / "run", "mine")
    return report, load_model(tmp_path / "run" / "student")


PRUNED = {"source": "pruned", "pruning": pruning.Pruning(layers=2, mlp_share=0.5)}


@pytest.fixture(scope="module")
def pruned(made, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pruned")
    return *run(made, folder, **PRUNED), folder / "run"


def test_a_pruned_student_distils(pruned):
    report, student, folder = pruned
    assert student.config.num_hidden_layers == 2
    assert report["student"]["parameters"] < report["teacher"]["parameters"]
    assert report["student"]["parameters"] == report["control_equal_steps"]["parameters"]
    kept = json.loads((folder / "pruning.json").read_text())
    assert len(kept["layers"]) == 2 and len(kept["influence"]) == 3


def test_slots_that_are_no_token_are_gone_and_reported(made, pruned):
    report, student, _ = pruned
    tokens = len(load_tokenizer(made / "teacher"))
    assert student.config.vocab_size == tokens
    assert report["teacher"]["surplus_slots"] == SPARE_SLOTS
    # An untrained teacher is unsure between all its slots alike.
    share = SPARE_SLOTS / (tokens + SPARE_SLOTS)
    assert report["teacher"]["surplus_mass"] == pytest.approx(share, rel=0.2)


def test_a_new_student_ends_where_its_tokenizer_ends(made, tmp_path):
    _, student = run(made, tmp_path, size=ModelSize(16, 1, 2))
    tokenizer = load_tokenizer(tmp_path / "run" / "student")
    assert student.config.eos_token_id == tokenizer.eos_token_id


def test_a_student_may_be_a_model_folder(made, tmp_path):
    tokenizer = load_tokenizer(made / "teacher")
    own = new_model(ModelSize(16, 2, 2), len(tokenizer) + 7, 64, seed=5)
    save_model(own, tokenizer, tmp_path / "own")
    report, student = run(made, tmp_path, source=str(tmp_path / "own"))
    assert student.config.hidden_size == 16 and student.config.vocab_size == len(tokenizer)
    assert report["student"]["steps"] == 3


def test_a_student_with_another_tokenizer_is_refused_before_anything_is_written(
    made, own, tmp_path
):
    with pytest.raises(UserError, match="its tokenizer differs from the teacher's"):
        run(made, tmp_path, source=str(own))
    assert not (tmp_path / "run").exists()


def test_a_tokenizer_that_is_not_the_teachers_own_is_refused(made, tmp_path):
    tokenizer = load_tokenizer(made / "teacher")
    large = new_model(ModelSize(16, 1, 2), 2 * len(tokenizer), 64, seed=0)
    save_model(large, tokenizer, tmp_path / "large")
    asked = dataclasses.replace(
        recipe(made), teacher=TeacherSettings(source=str(tmp_path / "large"))
    )
    with pytest.raises(UserError, match=r"\d% of its probability to slots beyond"):
        distill(asked, tmp_path / "run", "mine")


def test_the_teacher_is_measured_once_and_the_control_starts_with_the_student(
    made, tmp_path, monkeypatch
):
    teacher = freeze(load_model(made / "teacher"))
    tokenizer = load_tokenizer(made / "teacher")
    job = types.SimpleNamespace(recipe=recipe(made, **PRUNED), folder=tmp_path)
    documents = [Document("book", TEXT)]
    blocks = make_blocks(documents, tokenizer.backend_tokenizer, 16, tokenizer.eos_token_id)
    student = new_student(job, teacher, tokenizer, blocks, seed=0)
    monkeypatch.setattr(students, "choose_cut", lambda *_: pytest.fail("measured again"))
    control = new_student(job, teacher, tokenizer, blocks, seed=0)
    check_pair(teacher, student)
    weights = zip(student.parameters(), control.parameters(), strict=True)
    assert all(torch.equal(one, other) and one is not other for one, other in weights)


def test_a_new_student_starts_as_its_seed_says(made, tmp_path):
    teacher, tokenizer = load_model(made / "teacher"), load_tokenizer(made / "teacher")
    job = types.SimpleNamespace(recipe=recipe(made, size=ModelSize(16, 1, 2)), folder=tmp_path)
    one, same, other = (
        new_student(job, teacher, tokenizer, None, seed).lm_head.weight for seed in (5, 5, 6)
    )
    assert torch.equal(one, same) and not torch.equal(one, other)


def test_the_teacher_is_never_measured_on_padding(made):
    ids = torch.arange(30).view(10, 3)
    mask = torch.ones_like(ids)
    mask[-1, 1:] = 0
    sample = _sample(Blocks(ids, mask, 1))
    assert sample.shape == (9, 3) and ids[-1, 0] not in sample


@pytest.fixture
def own(tmp_path):
    """A student with a tokenizer of its own."""
    trained = train_tokenizer([Document("other", "zebra " * 300)], 270)
    tokenizer = wrap_tokenizer(trained, context=64)
    model = new_model(ModelSize(16, 1, 2), len(tokenizer), 64, seed=0)
    save_model(model, tokenizer, tmp_path / "own")
    return tmp_path / "own"


def test_a_student_with_another_tokenizer_learns_where_that_is_asked_for(made, own, tmp_path):
    report, student = run(made, tmp_path, source=str(own), cross_tokenizer=True)
    tokenizer = load_tokenizer(tmp_path / "run" / "student")
    assert tokenizer.get_vocab() == load_tokenizer(own).get_vocab()
    assert student.config.vocab_size == len(tokenizer)
    # Nats are counted in the student's tokens for both, so they say the same as bits per byte.
    ratios = [
        report[name]["cross_entropy"] / report[name]["bits_per_byte"]
        for name in ("teacher", "student", "control_equal_steps")
    ]
    assert ratios == pytest.approx([ratios[0]] * 3)
    assert not {"forward_kl", "top1_agreement"} & report["student"].keys()
    assert "surplus_slots" in report["teacher"]
    rows = Metrics(tmp_path / "run").rows()
    assert any(row["phase"] == "student" and row["distillation"] > 0 for row in rows)
    said = continuations(tmp_path / "run", "alpha beta", 3, seed=0)
    assert set(said) == {"teacher", "student", "control_equal_steps"}


def test_a_separator_of_the_students_own_need_not_be_a_token_of_the_teacher(made, own, tmp_path):
    wanted = recipe(made, source=str(own), cross_tokenizer=True)
    wanted = dataclasses.replace(wanted, data=dataclasses.replace(wanted.data, separator="zebra"))
    classroom = open_classroom(open_context(wanted, tmp_path / "run"))
    (between,) = load_tokenizer(own).backend_tokenizer.encode("zebra").ids
    assert set(classroom.pairs.student.ids[:, 0].tolist()) == {between}
    # The teacher's token before a text is its own end-of-text token, which it has the number of.
    assert set(classroom.pairs.teacher.ids[:, 0].tolist()) == {0}
    assert compare_with_counts(classroom).tokens


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"student": {"source": "pruned"}}, "pruned student has the teacher's tokenizer"),
        ({"targets": TargetSettings(kind="sampled")}, "has targets"),
        ({"objective": ObjectiveSettings(divergence="reverse_kl")}, "divergence"),
    ],
)
def test_what_spans_cannot_teach_is_refused_at_once(changes, words):
    settings = {"source": "folder", "cross_tokenizer": True} | changes.pop("student", {})
    with pytest.raises(UserError, match=words):
        Recipe(student=StudentSettings(**settings), **changes)


@pytest.mark.parametrize(
    ("student", "words"),
    [
        ({"source": "pruned", "pruning": pruning.Pruning(layers=6)}, "6 is more than .* 5 blocks"),
        ({"source": "somewhere"}, "yet to be trained"),
    ],
)
def test_what_a_teacher_in_training_cannot_give_is_refused_at_once(student, words):
    with pytest.raises(UserError, match=words):
        Recipe(teacher=TeacherSettings(source="train"), student=StudentSettings(**student))
