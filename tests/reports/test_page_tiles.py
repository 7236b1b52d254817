"""The numbers at the top: each with the sign that its interval gives it."""

import pytest
from report_cases import (
    cross_tokenizer,
    interval,
    judged,
    losing,
    undecided,
    whole_report,
    without,
    without_controls,
)

from kdlib.reports.pages.tiles import main_control, rough, tiles


def signs(report):
    return [tile.sign for tile in tiles(report)]


def test_a_good_run():
    ahead, gap, agreement, size, speed = tiles(whole_report())
    assert ahead == (
        "0.117",
        "nats per token ahead of the patient control",
        "95 % interval 0.100 to 0.134",
        "good",
    )
    assert (gap.value, gap.beside, gap.sign) == ("63 %", "95 % interval 60 % to 65 %", "good")
    assert (agreement.value, agreement.beside) == ("83 %", "79 % for the patient control")
    assert (size.value, size.beside, size.sign) == ("6.1×", "853 k against 5.24 M", "neutral")
    assert (speed.value, speed.beside, speed.sign) == ("3.4×", "31 k against 9.3 k tokens/s", "neutral")  # fmt: skip


def test_a_run_that_loses():
    behind = tiles(losing())[0]
    assert behind == (
        "0.327", "nats per token behind the control of equal compute", "95 % interval 0.187 to 0.466", "bad",
    )  # fmt: skip


def test_a_run_that_cannot_tell():
    apart, gap, *_ = tiles(undecided())
    assert apart.sign == gap.sign == "unclear"
    assert apart.value == "+0.004" and "cannot be told apart from" in apart.what
    assert apart.beside == "95 % interval −0.010 to +0.018"
    assert "whether any is closed cannot be told" in gap.what
    assert gap.beside == "95 % interval −9 % to 15 %"
    assert "equal " not in apart.what.replace("equal steps", "")


def test_a_gap_that_grew():
    report = whole_report()
    report["gap_closed"] = interval(-0.13, -0.16, -0.1)
    gap = tiles(report)[1]
    assert gap.sign == "bad" and gap.value == "−13 %" and "closed" not in gap.what


@pytest.mark.parametrize(
    ("lead", "sign"),
    [((0.04, 0.03, 0.05), "good"), ((-0.1, -0.2, -0.05), "bad"), ((0.01, -0.01, 0.03), "unclear")],
)
def test_agreement_has_the_sign_of_its_lead(lead, sign):
    report = whole_report()
    report["agreement_lead"]["control_patient"] = interval(*lead)
    tile = tiles(report)[2]
    assert tile.sign == sign
    assert ("cannot be told apart" in tile.beside) == (sign == "unclear")


def test_only_what_there_is():
    assert signs(without_controls()) == ["neutral"] * 3
    assert len(tiles(without(whole_report(), "gap_closed"))) == 4
    assert not any("agreement" in tile.what for tile in tiles(cross_tokenizer()))
    assert signs(without(whole_report(), "agreement_lead"))[2] == "neutral"


def test_a_student_larger_than_its_teacher():
    report = whole_report()
    report["student"]["parameters"] = 10_486_000
    size = tiles(report)[3]
    assert (size.value, size.what) == ("2.0×", "the teacher's parameters")


def test_the_main_control_is_the_one_that_decides():
    assert main_control(losing()) == "control_equal_compute"
    assert main_control(without_controls()) is None
    report = whole_report()
    report["advantage"]["ngram"] = interval(-1.0, -1.1, -0.9)
    assert main_control(judged(report)) == "control_equal_steps", "an n-gram is no control"
    del report["control_equal_steps"]
    assert main_control(judged(report)) == "control_equal_compute"


@pytest.mark.parametrize(("speed", "text"), [(17_423.5, "17 k"), (1561.2, "1.6 k"), (996.0, "1 k"), (31.4, "31")])  # fmt: skip
def test_speeds_have_two_digits(speed, text):
    assert rough(speed) == text
