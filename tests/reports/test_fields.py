"""The contract of a report: every number documented, nothing missing, always in one order."""

import json

import pytest
from report_cases import cross_tokenizer, whole_report, without, without_controls

from kdlib.reports.fields import CONTROLS, FIELDS, MODELS, field_of, in_order, leaves, validate


def test_key_order_does_not_depend_on_the_caller():
    def backwards(value):
        if isinstance(value, dict):
            return {key: backwards(value[key]) for key in reversed(value)}
        return [backwards(item) for item in value] if isinstance(value, list) else value

    for report in (whole_report(), without_controls()):
        turned = backwards(report) | {"recipe": report["recipe"], "versions": report["versions"]}
        assert json.dumps(in_order(turned)) == json.dumps(in_order(report))
    assert tuple(name for name in in_order(backwards(whole_report())) if name in MODELS) == MODELS


def test_every_number_is_documented_and_every_field_used():
    result = whole_report()
    numbers = [path for path, value in leaves(result) if isinstance(value, int | float)]
    assert all(field_of(path) for path in numbers)
    assert {field_of(path) for path, _ in leaves(result)} == FIELDS.keys()


@pytest.mark.parametrize(
    "path",
    ["student.extra", "extra", "seconds.lunch", "teacher.forward_kl", "advantage.student.value"],
)
def test_an_undocumented_number_is_refused(path):
    *parents, key = path.split(".")
    place = result = whole_report()
    for parent in parents:
        place = place.setdefault(parent, {})
    place[key] = 1.0
    with pytest.raises(ValueError, match=f"^{path}: this number is not documented"):
        validate(result)


@pytest.mark.parametrize(
    "path",
    ["seed", "teacher.ece", "student.forward_kl", "control_equal_compute.top5_agreement", "control_patient.ece_floor",
     "gap_closed.low", "gap_closed.trainings", "data.test.tokens", "data.validation.sha256", "advantage.control_equal_steps.high",
     "advantage.ngram.units", "ngram.order", "interval_unit", "test_blocks", "trainings.seed", "trainings.student",
     "verdict.worth", "verdict.sentences", "seconds.total", "machine.threads"],
)  # fmt: skip
def test_a_missing_key_is_named(path):
    *parents, key = path.split(".")
    place = result = whole_report()
    for parent in parents:
        place = place[parent][0] if parent == "trainings" else place[parent]
    del place[key]
    with pytest.raises(ValueError, match=f"report: {path} missing"):
        validate(result)


def test_what_two_tokenizers_do_not_share_is_not_asked_for():
    result = cross_tokenizer()
    validate(result)
    result["recipe"]["student"]["cross_tokenizer"] = False
    with pytest.raises(ValueError, match="student.forward_kl"):
        validate(result)


def test_other_wrong_reports():
    result = whole_report()
    with pytest.raises(ValueError, match="format: 'x' is not 'kdlib-report-2'"):
        validate(result | {"format": "x"})
    with pytest.raises(ValueError, match="seed: complex is not"):
        validate(result | {"seed": 1j})


@pytest.mark.parametrize("path", ["student", "gap_closed.low", "student.calibration.accuracy"])
def test_what_is_absent_is_left_out_and_never_null(path):
    *parents, key = path.split(".")
    place = result = whole_report()
    for parent in parents:
        place = place[parent]
    place[key] = [0.5, None] if key == "accuracy" else None
    with pytest.raises(ValueError, match=f"^{path}: null"):
        validate(result)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_what_is_not_finite_is_not_written(number):
    result = whole_report()
    result["advantage"]["ngram"]["high"] = number
    with pytest.raises(ValueError, match=r"^advantage\.ngram\.high: .* is not finite"):
        validate(result)


def test_nulls_of_a_recipe_are_the_recipes_own():
    result = whole_report()
    assert result["recipe"]["out"] is None
    validate(result)


def test_a_test_too_short_for_any_calibration_bin_is_a_whole_report():
    result = whole_report()
    for name in MODELS:
        result[name]["calibration"] = {key: [] for key in result[name]["calibration"]}
    validate(result)


@pytest.mark.parametrize(
    "parts",
    [("control_patient",), ("control_equal_compute", "control_patient"), ("ngram",), ("gap_closed",),
     (*CONTROLS, "gap_closed"), (*CONTROLS, "gap_closed", "ngram")],
)  # fmt: skip
def test_only_whole_parts_may_be_absent(parts):
    validate(without(whole_report(), *parts))


def test_trainings_of_several_seeds_are_one_field():
    result = whole_report()
    result["trainings"] = [result["trainings"][0] | {"seed": seed} for seed in range(3)]
    validate(result)
