"""What the page of three models is made of: stored students, rounded weights, packed texts."""

import json
import re

import numpy as np
import pytest
import three_models
import torch
from website import models_files, models_page, small_students
from website.models_files import LARGEST, NAMES

from kdlib.claims.papers import crossover
from kdlib.claims.record import shipped

TOLERANCE = 0.02  # nats: how far a stored model may be from the claim's record, on any processor
ROUNDING = 0.001  # nats of forward KL that rounding may cost


@pytest.mark.parametrize("name", small_students.SMALL)
def test_a_stored_model_is_the_arm_that_it_says(name):
    about, record = small_students.manifest()[name], shipped("crossover")
    arm = small_students.SMALL[name].arm
    assert about["claim"] == "crossover" and about["arm"] == arm
    assert about["words"] == crossover.CLAIM.arms[arm].words
    assert about["rate"] == record["rates"][arm]
    assert about["seed"] == record["seeds"][0] == small_students.SEED
    assert about["loss"] == pytest.approx(record["numbers"][arm]["loss"][0], abs=TOLERANCE)
    weights = small_students.weights_of(name)
    assert about["parameters"] == sum(each.numel() for each in weights.values())
    assert {each.dtype for each in weights.values()} == {torch.bfloat16}


def test_the_student_learned_from_the_teacher_and_its_control_did_not():
    student, control = (small_students.manifest()[name]["words"] for name in ("student", "control"))
    assert "with the teacher, as many operations" in student
    assert "without, as many operations" in control


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_the_models_pass_the_exam_that_the_page_speaks_of(name):
    """Rounded as on the page; nothing is trained."""
    found, noted = three_models.examine(name), small_students.exams()[name]
    assert found["loss"] == pytest.approx(noted["loss"], abs=TOLERANCE)
    assert found["forward KL"] == pytest.approx(noted["forward KL"], abs=TOLERANCE)
    assert found["rounding"] == pytest.approx(noted["rounding"], abs=1e-4)
    assert found["rounding"] < ROUNDING
    if name != "teacher":
        record = shipped("crossover")["numbers"][small_students.SMALL[name].arm]
        for measure in ("loss", "forward KL"):
            assert found[measure] == pytest.approx(record[measure][0], abs=TOLERANCE)


def test_a_rounded_matrix_is_within_half_a_step_of_the_matrix():
    matrix = torch.randn(7, 12, generator=torch.Generator().manual_seed(0))
    matrix[3] = 0
    numbers, scale = models_files.quantised(matrix)
    assert numbers.dtype == torch.int8 and int(numbers.abs().max()) == LARGEST
    apart = (numbers * scale[:, None] - matrix).abs()
    assert (apart <= 0.5001 * scale[:, None]).all() and not apart[3].any()


def test_every_number_has_a_character_of_its_own_that_needs_no_escape():
    text = models_files.as_text(np.arange(-LARGEST, LARGEST + 1, dtype=np.int8))
    assert len(set(text)) == 2 * LARGEST + 1
    assert not set(text) & set('\n\r"\\\u2028\u2029')
    small = models_files.as_text(np.arange(-61, 62, dtype=np.int8))
    assert len(small.encode()) == len(small) and len(text.encode()) < 2 * len(text)


def test_all_weights_together_are_below_ten_megabytes():
    assert sum(models_page.sizes().values()) < 10_000_000
    assert models_page.megabytes() == f"{sum(models_page.sizes().values()) / 1e6:.1f}"


def test_the_scripts_hold_every_tensor_of_every_model_once():
    held = {name: [] for name in NAMES}
    for name, text in models_files.files().items():
        about = json.loads(re.match(r'threeModels\.deliver\("[\w-]+", (\{.*?\}), "', text)[1])
        if name != "tokens.js":
            held[about["model"]] += [tuple(each) for each in map(str, about["tensors"])]
    for name in NAMES:
        weights = models_files.weights_of(name).items()
        wanted = [
            str([key.removeprefix("model.").removesuffix(".weight"), list(each.shape)])
            for key, each in weights
        ]
        assert sorted(map("".join, held[name])) == sorted(wanted)


def test_two_builds_are_the_same_to_the_byte(tmp_path):
    before = models_files.files()
    models_files.files.cache_clear()
    models_files.write(tmp_path)
    assert {path.name: path.read_text("utf-8") for path in tmp_path.iterdir()} == before


def test_the_page_says_only_numbers_that_were_measured():
    from website.links import Links

    text = models_page.page(Links({1: "01.ipynb", 4: "04.ipynb", 7: "07.ipynb", 12: "12.ipynb"}))
    exams = small_students.exams()
    for name in NAMES:
        assert f"{exams[name]['rounding']:.4f}" in text and f"{exams[name]['loss']:.2f}" in text
    assert "[chapter 7](07.ipynb)" in text and "\n\n" not in models_page.panel()
    assert f"{models_page.megabytes()} MB" in text
