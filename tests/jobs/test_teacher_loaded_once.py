"""The teacher is the largest model of a run: it is loaded once, and measured as it has taught."""

import dataclasses

import pytest
import torch
from accelerate.state import AcceleratorState
from little_runs import lasting, little, paragraphs, write_file

from kdlib.data.document import Document
from kdlib.data.tokenizer import train_tokenizer
from kdlib.jobs.measure import measure_again
from kdlib.jobs.pipeline import distill
from kdlib.jobs.recipe import TeacherSettings
from kdlib.models import folders
from kdlib.models.folders import save_model, wrap_tokenizer
from kdlib.models.from_scratch import ModelSize, new_model


@pytest.fixture(autouse=True)
def one_precision_a_test():
    """Accelerate keeps the first one of a process."""
    AcceleratorState._reset_state(reset_partial_state=True)
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


@pytest.fixture
def text(tmp_path):
    return write_file(tmp_path / "book.txt", paragraphs(120))


@pytest.fixture
def teacher(tmp_path, text):
    tokenizer = wrap_tokenizer(train_tokenizer([Document("book", text.read_text())], 300), 64)
    model = new_model(ModelSize(32, 2, 4, initial_std=0.2), len(tokenizer), 64, seed=1)
    save_model(model, tokenizer, tmp_path / "teacher", torch.bfloat16)
    return tmp_path / "teacher"


@pytest.fixture
def loaded(monkeypatch):
    """The folders whose weights were read, in order."""
    read, real = [], folders._whole_model

    def watched(folder, *rest):
        read.append(folder)
        return real(folder, *rest)

    monkeypatch.setattr(folders, "_whole_model", watched)
    return read


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_run_loads_its_teacher_once_and_measures_what_a_later_look_measures(
    text, teacher, loaded, tmp_path, precision
):
    recipe = dataclasses.replace(
        little(text), teacher=TeacherSettings(source=str(teacher)), precision=precision
    )
    report = distill(recipe, tmp_path / "run", "once")
    assert loaded.count(teacher) == 1
    for scores in (tmp_path / "run").glob("scores_*.safetensors"):
        scores.unlink()  # or the later look would read them instead of the models
    again = measure_again(tmp_path / "run")
    assert loaded.count(teacher) == 2
    assert lasting(again) == lasting(report)


def test_a_teacher_of_the_run_is_loaded_once_when_it_is_trained(text, loaded, tmp_path):
    distill(little(text), tmp_path / "run", "once")
    assert loaded.count(tmp_path / "run" / "teacher") == 1
