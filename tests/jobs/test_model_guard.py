"""A run knows its models: another teacher, or another start of the student, is refused by name."""

import shutil
from pathlib import Path

import pytest
from little_runs import TRAINING, little, paragraphs, run, write_file

from kdlib.data.document import Document
from kdlib.data.tokenizer import train_tokenizer
from kdlib.errors import UserError
from kdlib.jobs.measure import measure_again, measure_on
from kdlib.jobs.recipe import StudentSettings, TeacherSettings
from kdlib.models.folders import save_model, wrap_tokenizer
from kdlib.models.from_scratch import ModelSize, new_model
from kdlib.training.run_state import read_state, write_state

pytestmark = [pytest.mark.slow, pytest.mark.door("models of a run")]
RUN, BOOK = Path("run"), Path("book.txt")


def recipe():
    return little(
        BOOK,
        teacher=TeacherSettings(source="teacher"),
        student=StudentSettings(source="start", training=TRAINING),
    )


ROADS = {
    "resume": lambda: run(recipe(), RUN, resume=True),
    "evaluate": lambda: measure_again(RUN),
    "evaluate --text": lambda: measure_on(RUN, str(BOOK)),
}


def save(folder, seed, layers=1):
    tokenizer = train_tokenizer([Document("book", BOOK.read_text())], 300)
    model = new_model(ModelSize(16, layers, 2), tokenizer.get_vocab_size(), 32, seed)
    save_model(model, wrap_tokenizer(tokenizer, 32), Path(folder))


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished run that took its teacher and its student's start from folders beside it."""
    folder = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        write_file(BOOK, paragraphs(300))
        save("teacher", seed=1, layers=2)
        save("start", seed=2)
        run(recipe(), RUN)
    return folder


@pytest.fixture
def workplace(finished, tmp_path, monkeypatch):
    folder = tmp_path / "workplace"
    shutil.copytree(finished, folder)  # elsewhere, and written at another time
    monkeypatch.chdir(folder)


@pytest.mark.parametrize("road", ROADS)
@pytest.mark.parametrize(("name", "source"), [("teacher", "teacher"), ("student", "start")])
def test_another_model_in_the_same_place_is_refused(road, name, source, workplace):
    save(source, seed=7)
    with pytest.raises(UserError) as refused:
        ROADS[road]()
    words = str(refused.value)
    assert words.startswith(f"{name}.source: {source} is not the model that run was started with")


def test_a_folder_that_another_program_wrote_is_known_by_its_files(workplace):
    """It has no checksums: settings, tokenizer and weights are read."""
    for source in ("teacher", "start"):
        (Path(source) / "sha256.json").unlink()
    run(recipe(), Path("other"))
    settings = Path("teacher") / "config.json"
    settings.write_text(
        settings.read_text().replace('"rope_theta": 10000.0', '"rope_theta": 500.0')
    )
    with pytest.raises(UserError, match=r"^teacher\.source: teacher is not the model"):
        run(recipe(), Path("other"), resume=True)


@pytest.mark.parametrize("road", ROADS)
def test_the_same_models_elsewhere_are_the_same(road, workplace):
    ROADS[road]()


def test_a_run_that_recorded_none_goes_on(workplace):
    state = read_state(RUN)
    del state["models"]
    write_state(RUN, state)
    save("teacher", seed=7, layers=2)
    run(recipe(), RUN, resume=True)


def test_what_a_run_makes_itself_is_not_recorded(workplace):
    run(little(BOOK), Path("alone"))
    assert read_state(Path("alone"))["models"] == {}
