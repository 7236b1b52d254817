"""The contract of a report: every number documented, nothing missing, always in one order."""

import json

import pytest
from report_cases import whole_report, without_controls

from kdlib.reports.fields import FIELDS, MODELS, field_of, in_order, leaves, validate


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
    ["seed", "teacher.ece", "student.forward_kl", "control_equal_time.top5_agreement", "gap_closed.low", "data.test.tokens",
     "advantage.control_equal_steps.high", "seconds.total", "machine.threads"],
)  # fmt: skip
def test_a_missing_key_is_named(path):
    *parents, key = path.split(".")
    place = result = whole_report()
    for parent in parents:
        place = place[parent]
    del place[key]
    with pytest.raises(ValueError, match=f"report: {path} missing"):
        validate(result)


def test_other_wrong_reports():
    result = whole_report()
    with pytest.raises(ValueError, match="format: 'x' is not 'kdlib-report-1'"):
        validate(result | {"format": "x"})
    with pytest.raises(ValueError, match="student: null"):
        validate(result | {"student": None})
    with pytest.raises(ValueError, match="seed: complex is not"):
        validate(result | {"seed": 1j})
