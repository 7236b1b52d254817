"""The console that a command speaks to: whatever it cannot show or take, the work goes on."""

from __future__ import annotations

import io
import os
import sys


def prepare_console() -> None:
    """Let every text be printed, whatever the console's encoding, and even without a console."""
    # A process may be started with its standard streams closed (`>&-`); libraries write to them.
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        # A notebook's streams are others, and can show everything.
        if isinstance(stream, io.TextIOWrapper) and stream.errors in ("strict", "surrogateescape"):
            stream.reconfigure(errors="replace")


def show(text: str) -> None:
    """Print at once. Where nobody listens any more (``| head -1``), the work goes on in silence."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        silence()


def silence() -> None:
    """Let nothing more reach standard output, whose reader has gone."""
    # Under the stream, too: else Python tries once more to write what is left, when it ends.
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())
