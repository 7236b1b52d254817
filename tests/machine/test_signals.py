"""A signal becomes a wish, and the handlers are given back."""

import os
import signal

import pytest

from kdlib.machine.signals import interrupting_signals, stop_signals

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no kill and no SIGHUP")


def test_signals_are_given_back():
    before = signal.getsignal(signal.SIGINT)
    with stop_signals() as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.is_set
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_every_signal_that_ends_a_process_stops_the_loop(name):
    number = getattr(signal, name)
    with stop_signals() as stop:
        os.kill(os.getpid(), number)
        assert stop.is_set
    with interrupting_signals(), pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), number)


def test_what_is_ignored_stays_ignored():
    """As `nohup` ignores the end of the terminal, and a shell Ctrl-C for what runs behind it."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with interrupting_signals(), stop_signals() as stop:
            os.kill(os.getpid(), signal.SIGHUP)
            assert not stop.is_set
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
