"""A signal becomes a wish, and the handlers are given back."""

import signal

import pytest

from kdlib.machine.signals import NAMES, interrupting_signals, stop_signals

HERE = [getattr(signal, name) for name in NAMES if hasattr(signal, name)]  # Windows has no SIGHUP


def test_no_signal_is_forgotten():
    assert {signal.SIGINT, signal.SIGTERM} <= set(HERE)
    assert ("SIGHUP" in NAMES) and (hasattr(signal, "SIGHUP") == (len(HERE) == 3))


def test_signals_are_given_back():
    before = signal.getsignal(signal.SIGINT)
    with stop_signals() as stop:
        signal.raise_signal(signal.SIGTERM)
        assert stop.is_set
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize("number", HERE)
def test_every_signal_that_ends_a_process_stops_the_loop(number):
    with stop_signals() as stop:
        signal.raise_signal(number)
        assert stop.is_set
    with interrupting_signals(), pytest.raises(KeyboardInterrupt):
        signal.raise_signal(number)


@pytest.mark.parametrize("number", HERE)
def test_what_is_ignored_stays_ignored(number):
    """As `nohup` ignores the end of the terminal, and a shell Ctrl-C for what runs behind it."""
    before = signal.signal(number, signal.SIG_IGN)
    try:
        with interrupting_signals(), stop_signals() as stop:
            signal.raise_signal(number)
            assert not stop.is_set
        assert signal.getsignal(number) is signal.SIG_IGN
    finally:
        signal.signal(number, before)
