"""The command line: the list of commands, the dispatch to one, and errors as one line."""

from __future__ import annotations

import os
import sys
import traceback

from kdlib.commands import book, machine, runs
from kdlib.errors import UserError

OVERVIEW = """\
kdlib: knowledge distillation of language models

  kdlib distill RECIPE      distil a student, train its controls, write a report
  kdlib cache RECIPE        keep a few tokens of the teacher's every answer on disk
  kdlib evaluate RUN        measure a run's models again and write its report anew
  kdlib compare RUN...      the students of several runs side by side
  kdlib generate RUN TEXT   let teacher, student and controls go on from a text
  kdlib doctor              what this machine offers and what is missing
  kdlib bench WHAT          step, loss or cache: speed, memory, error against plain PyTorch
  kdlib fetch MODEL         get a pretrained teacher once: smollm2
  kdlib exercises           your progress through the exercises
  kdlib start FOLDER        copy the chapters into a folder to work in
  kdlib grade NOTEBOOK...   run notebooks and judge their answers

RECIPE is pocket, smollm2, pocket_teacher, tiny or a file ending in .toml. Every command has --help;
`kdlib distill pocket --help` lists every setting with its value. An error is one line; with
KDLIB_TRACEBACK=1 in the environment, the traceback comes before it."""


COMMANDS = {
    "distill": runs.distill,
    "cache": runs.cache,
    "evaluate": runs.evaluate,
    "compare": runs.compare,
    "generate": runs.generate,
    "doctor": machine.doctor,
    "bench": machine.bench,
    "fetch": machine.fetch,
    "exercises": book.exercises,
    "start": book.start,
    "grade": book.grade,
}


def main(arguments: list[str] | None = None) -> None:
    """Run one command.

    Exit codes: 0 done, 1 a check of the doctor failed, 2 input that cannot be used, 130 stopped by
    a signal. An error is printed as one line, after its traceback if the environment variable
    ``KDLIB_TRACEBACK`` is set.

    Args:
        arguments: command and flags; those of the process by default.
    """
    # Set before torch is loaded. With huge pages, allocating and freeing matrices of megabytes
    # fragments the heap less: the peak of a short run fell from 1.0-1.4 GB to 0.8 GB.
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    try:
        _dispatch(sys.argv[1:] if arguments is None else arguments)
    except UserError as error:
        _fail(str(error), 2)
    except BrokenPipeError:  # the reader of the output is gone, for example `| head`
        sys.stderr.close()
    except OSError as error:
        _fail(_reason(error), 2)
    except KeyboardInterrupt as stopped:
        _fail(str(stopped) or "stopped", 130)


def _reason(error: OSError) -> str:
    """The system's word on a file, or else what a library has to say: some raise OSError bare."""
    if error.strerror:
        return f"{error.filename or 'disk'}: {error.strerror}"
    return " ".join(str(error).split()) or type(error).__name__


def _fail(message: str, code: int) -> None:
    """Print the error that is being handled as one line and exit."""
    if os.environ.get("KDLIB_TRACEBACK"):
        traceback.print_exc()
    # With several ranks, each names itself: their errors need not be the same.
    rank = f" (process {os.environ['RANK']})" if "RANK" in os.environ else ""
    print(f"kdlib{rank}: {message}", file=sys.stderr)
    sys.exit(code)


def _dispatch(arguments: list[str]) -> None:
    """Call the command that the first argument names."""
    name, *rest = arguments or ["--help"]
    if name in ("-h", "--help"):
        print(OVERVIEW)
    elif name in COMMANDS:
        COMMANDS[name](rest)
    else:
        raise UserError(f"unknown command: {name}; there are {', '.join(COMMANDS)}")
