"""A bar in a terminal, plain lines in a log."""

import io
import os

import pytest

from kdlib.machine import progress


class Log(io.StringIO):
    """A file or a pipe, as standard error."""


def work(monkeypatch, stream, units=6, done=2):
    monkeypatch.setattr("sys.stderr", stream)
    with progress.progress_bar("student", units, done=done, unit="batch") as bar:
        for _ in range(units - done):
            bar.set_postfix(loss="1.5", refresh=False)
            bar.update()


def test_a_log_gets_plain_lines(monkeypatch):
    log = Log()
    work(monkeypatch, log)
    first, last = log.getvalue().splitlines()
    assert first.startswith("student: 2/6 batches") and last.startswith("student: 6/6 batches")
    assert "loss=1.5" in last and "\r" not in log.getvalue() and log.getvalue().endswith("\n")


def test_lines_come_now_and_then(monkeypatch):
    monkeypatch.setattr(progress, "SECONDS", 0)
    log = Log()
    work(monkeypatch, log, units=40, done=0)
    lines = log.getvalue().splitlines()
    assert len(lines) > 10 and len({*lines}) == len(lines)


def test_what_did_nothing_says_nothing_at_its_end(monkeypatch):
    log = Log()
    work(monkeypatch, log, units=3, done=3)
    assert log.getvalue().count("\n") == 1


def test_a_reader_that_has_gone_ends_no_work(monkeypatch):
    class Gone(Log):
        def write(self, text):
            raise BrokenPipeError

    work(monkeypatch, Gone())


@pytest.mark.parametrize("columns", [80, 120])
def test_the_numbers_are_whole_in_a_terminal(monkeypatch, columns):
    class Terminal(Log):
        def isatty(self):
            return True

        def fileno(self):
            return 2

    monkeypatch.setattr(os, "get_terminal_size", lambda _: os.terminal_size((columns, 24)))
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    with progress.progress_bar("seed_1/control_equal_compute", 10, unit="step") as bar:
        bar.ncols, bar.dynamic_ncols = columns, None
        bar.update(10)
        bar.set_postfix(loss="6.507", tokens_per_s="9921")
    assert "tokens_per_s=9921]" in terminal.getvalue()


def test_what_is_watched_comes_back_in_order(monkeypatch, capsys):
    items = list(range(20))
    assert list(progress.watched("reading", items)) == items
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(progress, "MANY", 10)
    assert list(progress.watched("reading", items)) == items
    assert "reading" in capsys.readouterr().err
