"""Several runs as a page: their students and teachers in figures, the table, the sentences."""

import pytest
from html_page import assert_self_contained
from report_cases import without_controls

from kdlib.commands import runs
from kdlib.errors import UserError
from kdlib.reports.comparison import Comparison
from kdlib.reports.pages.comparison import comparison_html, write_comparison


def report(**student):
    """A run whose student differs in this."""
    made = without_controls()
    made["student"] |= student
    return made


@pytest.fixture
def found():
    return Comparison(
        ["one", "two"],
        [report(), report(cross_entropy=3.9, parameters=400_000, tokens_per_second=61_000.0)],
        [["cross-entropy, nats/token", "3.785", "3.900"], ["seed", "0", "1"]],
        ["two is behind one by 0.115 nats per token (95 % interval 0.100 to 0.130)."],
    )


def test_each_student_is_in_both_figures_and_the_teacher_once(found):
    size, speed = assert_self_contained(comparison_html(found)).figures
    assert "cross-entropy, nats per token over parameters." in size
    assert "one: 853 k, 3.785; two: 400 k, 3.900; teacher: 5.243 M, 3.642." in size
    assert "over speed" in speed and "one: 31.25" in speed and "two: 61 k, 3.900" in speed


def test_teachers_that_differ_are_told_apart(found):
    found.reports[1]["teacher"]["cross_entropy"] = 3.5
    size, _ = assert_self_contained(comparison_html(found)).figures
    assert "teacher of one: 5.243 M, 3.642; teacher of two: 5.243 M, 3.500." in size


def test_students_with_different_tokens_are_compared_by_the_byte(found):
    found.reports[1]["data"]["test"]["tokens"] = 150_000
    size, _ = assert_self_contained(comparison_html(found)).figures
    assert size.startswith("bits per byte over parameters.")
    assert f"one: 853 k, {found.reports[0]['student']['bits_per_byte']:.3f}" in size


def test_the_table_and_the_sentences_are_there(found):
    page = assert_self_contained(comparison_html(found))
    for words in ("one two", "cross-entropy, nats/token 3.785 3.900", "seed 0 1"):
        assert words in page.text
    assert found.sentences[0] in page.text.replace("\u00a0", " ")


def test_hostile_names_stay_text(found):
    hostile = "<script>alert(1)</script>$\\frac$"
    found.names[0] = found.sentences[0] = hostile
    found.rows[0][1] = hostile
    page = assert_self_contained(comparison_html(found))
    assert "script" not in page.tags and hostile in page.text


def test_the_same_runs_give_the_same_bytes(found):
    assert comparison_html(found) == comparison_html(found)


def test_a_page_that_cannot_be_written(found, tmp_path, monkeypatch):
    monkeypatch.setattr("kdlib.reports.pages.comparison.comparison", lambda folders: found)
    with pytest.raises(UserError, match="cannot be written"):
        write_comparison([], tmp_path / "nowhere" / "page.html")
    write_comparison([], tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text("utf-8") == comparison_html(found)


def test_the_command_writes_it_where_it_is_told(tmp_path, monkeypatch, capsys):
    written = []
    monkeypatch.setattr("kdlib.reports.comparison.compare_runs", lambda folders: "the table")
    monkeypatch.setattr(
        "kdlib.reports.pages.comparison.write_comparison", lambda *asked: written.append(asked)
    )
    runs.compare([str(tmp_path)])
    assert not written and capsys.readouterr().out == "the table\n"
    runs.compare([str(tmp_path), "--html", str(tmp_path / "page.html")])
    assert written == [((tmp_path,), tmp_path / "page.html")]
    assert f"Page:    {tmp_path / 'page.html'}" in capsys.readouterr().out
