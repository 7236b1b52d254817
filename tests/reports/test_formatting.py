"""Numbers as people read them."""

from kdlib.reports.formatting import duration, short, size


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
