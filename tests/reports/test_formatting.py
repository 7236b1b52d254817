"""Numbers as people read them."""

from kdlib.reports.formatting import align, duration, number, percent, short, size


def test_numbers_as_people_read_them():
    assert [short(n) for n in (0, 7, 999, 999.6, 12_432, 853_000, 5_243_000, 999_600_000, 2e12)] == [
        "0", "7", "999", "1 k", "12.4 k", "853 k", "5.24 M", "1 G", "2 T",
    ]  # fmt: skip
    assert [size(n) for n in (12, 10_490_000)] == ["12 B", "10.5 MB"]
    assert [duration(s) for s in (0.42, 59.6, 313, 7_300)] == [
        "0.4 s",
        "1 min 00 s",
        "5 min 13 s",
        "2 h 01 min",
    ]


def test_shares_and_decimals():
    assert [percent(share) for share in (0, 0.125, 0.999, 1)] == ["0 %", "12 %", "100 %", "100 %"]
    assert percent(0.0917, 1) == "9.2 %" and percent(-0.05) == "-5 %"
    assert number(3)(2 / 3) == "0.667" and number(1)(681.205) == "681.2"


def test_a_table_is_as_wide_as_its_cells():
    lines = [["", "one", "two"], ["", "", ""], ["loss", "4.125", "-"]]
    assert align(lines) == "        one  two\nloss  4.125    -"
