"""A signal becomes a wish, and the handlers are given back."""

import os
import signal

from kdlib.machine.signals import stop_signals


def test_signals_are_given_back():
    before = signal.getsignal(signal.SIGINT)
    with stop_signals() as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.is_set
    assert signal.getsignal(signal.SIGINT) is before
