"""The command line in a fork of this process: libraries are loaded once, not for every command.

A fork is a process like any other: it can be sabotaged, signalled and killed. What a fork cannot
show, that `python -m kdlib` finds its way in, is shown by `test_end_to_end.py` once.
"""

import os
import signal
import sys
import tempfile
import time
import traceback
from typing import NamedTuple

from kdlib import cli
from kdlib.jobs import pipeline  # noqa: F401  loaded before the fork, with all that it needs
from kdlib.teachers import cache_writer  # noqa: F401


class Done(NamedTuple):
    code: int  # negative: the signal that ended it
    out: str
    err: str


class Started:
    """A command that runs beside the test."""

    def __init__(self, arguments, sabotage):
        self._out, self._err = (tempfile.TemporaryFile("w+") for _ in range(2))  # noqa: SIM115
        self._done = None
        self.pid = os.fork()
        if self.pid == 0:
            _become(arguments, sabotage, self._out, self._err)

    def wait_for(self, condition, seconds=200):
        """Until the condition holds; a command that ends before it does is a failure."""
        until = time.monotonic() + seconds
        while not condition():
            ended = os.waitpid(self.pid, os.WNOHANG)
            if ended[0]:
                self._done = self._read(ended[1])
            assert self._done is None and time.monotonic() < until, self._done
            time.sleep(0.01)

    def strike(self, number):
        """Send a signal, and wait for the end."""
        os.kill(self.pid, number)
        return self.end()

    def end(self):
        if self._done is None:
            self._done = self._read(os.waitpid(self.pid, 0)[1])
        return self._done

    def _read(self, status):
        self._out.seek(0), self._err.seek(0)
        return Done(os.waitstatus_to_exitcode(status), self._out.read(), self._err.read())


def start(*arguments, sabotage=lambda: None) -> Started:
    return Started(arguments, sabotage)


def kdlib(*arguments, sabotage=lambda: None) -> Done:
    """The command in a process of its own, after `sabotage` has been called there."""
    return Started(arguments, sabotage).end()


def _become(arguments, sabotage, out, err) -> None:
    code = 1
    try:
        os.dup2(out.fileno(), 1), os.dup2(err.fileno(), 2)
        sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sabotage()
        cli.main(list(map(str, arguments)))
        code = 0
    except SystemExit as end:
        code = end.code or 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush(), sys.stderr.flush()
        os._exit(code)
