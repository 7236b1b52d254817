"""Work that the steps of a training need not wait for: one piece at a time, in another thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType


class Background:
    """A context in which work goes on beside the caller's; its end waits for what is left.

    An error of the work is raised where the next one begins, or at the end: it is never lost.
    """

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None

    def run(self, work: Callable[[], None]) -> None:
        """Begin a piece of work, once the one before it is done.

        Args:
            work: what to do; nothing that it reads may change meanwhile.

        Raises:
            BaseException: what the one before it has raised.
        """
        self._wait()
        self._thread = threading.Thread(target=self._noted, args=(work,), name="background")
        self._thread.start()

    def __enter__(self) -> Background:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._wait()

    def _noted(self, work: Callable[[], None]) -> None:
        """Do it, and keep its error for whoever waits."""
        try:
            work()
        except BaseException as error:
            self._error = error

    def _wait(self) -> None:
        """Until nothing is going on; raises what went wrong."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        error, self._error = self._error, None
        if error is not None:
            raise error
