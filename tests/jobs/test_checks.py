"""What cannot work is refused by name, before a run has a folder."""

import dataclasses

import pytest
from transformers import GPT2Config, GPT2LMHeadModel

from kdlib.data.document import Document
from kdlib.data.tokenizer import train_tokenizer
from kdlib.errors import UserError
from kdlib.jobs.classroom import open_classroom
from kdlib.jobs.context import open_context
from kdlib.jobs.data_settings import Data
from kdlib.jobs.recipe import Recipe, StudentSettings, TeacherSettings
from kdlib.models.folders import save_model, wrap_tokenizer
from kdlib.models.from_scratch import ModelSize, new_model
from kdlib.models.pruning import Pruning

TEXT = "\n\n".join(f"Line {n}: so many words as are needed for a line." for n in range(300))
LONG, SHORT = 64, 24  # the tokens that two models have read


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A text, and three models that share a tokenizer and differ in how long a text they read."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "book.txt").write_text(TEXT)
    trained = train_tokenizer([Document("book", TEXT)], 300)
    vocabulary = trained.get_vocab_size()
    tables = GPT2Config(vocab_size=vocabulary, n_positions=SHORT, n_embd=16, n_layer=1, n_head=2)
    models = {
        "long": new_model(ModelSize(16, 2, 2), vocabulary, LONG, seed=0),
        "short": new_model(ModelSize(16, 2, 2), vocabulary, SHORT, seed=1),
        "tables": GPT2LMHeadModel(tables),
    }
    for name, model in models.items():
        save_model(model, wrap_tokenizer(trained, LONG), folder / name)
    return folder


def check(made, block, teacher, **student):
    recipe = Recipe(
        data=Data(text=str(made / "book.txt"), fraction=0.5, test_fraction=1, block=block),
        teacher=TeacherSettings(source=str(made / teacher)),
        student=StudentSettings(**student),
        device="cpu",
    )
    folder = made / "run"
    open_classroom(open_context(recipe, folder))
    assert not folder.exists()


@pytest.mark.parametrize("teacher", ["short", "tables"])
def test_blocks_longer_than_the_teacher_reads_are_refused(made, teacher):
    refusal = "data.block: 24 is longer than the 23 tokens that the teacher reads; use 23 or less"
    with pytest.raises(UserError, match=f"^{refusal}$"):
        check(made, SHORT, teacher)
    check(made, SHORT - 1, teacher)


@pytest.mark.parametrize("student", ["short", "tables"])
def test_blocks_longer_than_a_stored_student_reads_are_refused(made, student):
    with pytest.raises(UserError, match="data.block: 32 is longer than the 23 .* student reads"):
        check(made, 32, "long", source=str(made / student))
    check(made, SHORT - 1, "long", source=str(made / student))


def test_a_pruned_student_reads_what_its_teacher_reads(made):
    pruned = {"source": "pruned", "pruning": Pruning(layers=1)}
    check(made, LONG - 1, "long", **pruned)
    with pytest.raises(UserError, match="longer than the 63 tokens that the teacher reads"):
        check(made, LONG, "long", **pruned)


def test_the_shipped_teacher_reads_blocks_as_long_as_those_it_learned_from(tmp_path):
    (tmp_path / "long.txt").write_text(TEXT * 10)
    data = Data(text=str(tmp_path / "long.txt"), fraction=1, test_fraction=1, block=256)
    open_classroom(open_context(Recipe(data=data, device="cpu"), tmp_path / "run"))
    longer = Recipe(data=dataclasses.replace(data, block=257), device="cpu")
    with pytest.raises(UserError, match="257 is longer than the 256 tokens that the teacher reads"):
        open_classroom(open_context(longer, tmp_path / "run"))
