"""The command line: the list of commands, the dispatch to one, and errors as one line."""

from __future__ import annotations

import difflib
import importlib
import os
import sys
import traceback
from collections.abc import Callable

from kdlib.errors import UserError
from kdlib.machine.console import prepare_console, show, silence
from kdlib.machine.ranks import check_ranks
from kdlib.machine.signals import interrupting_signals

OVERVIEW = """\
kdlib: knowledge distillation of language models

  kdlib distill RECIPE      distil a student, train its controls, write a report
  kdlib recipe [RECIPE]     list the recipes, or print one as a file to change
  kdlib cache RECIPE        keep a few tokens of the teacher's every answer on disk
  kdlib show RECIPE         records as the models read them, with what counts marked
  kdlib write RECIPE        let the teacher answer the prompts of records
  kdlib evaluate RUN        measure a run's models again and write its report anew
  kdlib compare RUN...      the students of several runs side by side
  kdlib generate RUN TEXT   let teacher, student and controls go on from a text
  kdlib publish RUN NAME    upload the student and its model card to the hub
  kdlib doctor              what this machine offers and what is missing
  kdlib bench WHAT          step, loss or cache: speed, memory, error against plain PyTorch
  kdlib claim [CLAIM]       what papers say, tried: the verdicts, or run one again
  kdlib challenge [RECIPE]  the best small student within a budget: the table, or enter it
  kdlib fetch MODEL         get a pretrained teacher once: smollm2
  kdlib exercises           your progress through the exercises
  kdlib symptom WORDS...    what you see, in your own words: the mistakes that show it
  kdlib start FOLDER        copy the chapters into a folder to work in
  kdlib grade NOTEBOOK...   run notebooks and judge their answers
  kdlib completion SHELL    what bash, zsh or fish needs to complete these commands

RECIPE is pocket, smollm2, pocket_teacher, sums, chat, chat-tiny, tiny or a file ending in .toml. `kdlib help COMMAND`
explains a command, `kdlib help distill pocket` lists every setting with its value, and
`kdlib --version` says which version this is.

Exit codes: 0 done; 1 something is missing (doctor) or was not graded (grade), or kdlib itself
failed; 2 input that cannot be used; 130 stopped by a signal. An error is one line; with
KDLIB_TRACEBACK=1 in the environment, the traceback comes before it."""

# Modules of kdlib.commands, with the commands that each has a function for.
MODULES = {
    "runs": ("distill", "cache", "evaluate", "compare", "generate"),
    "publish": ("publish",),
    "recipes": ("recipe",),
    "records": ("show", "write"),
    "machine": ("doctor", "bench", "fetch"),
    "claims": ("claim",),
    "challenge": ("challenge",),
    "book": ("exercises", "start", "grade"),
    "museum": ("symptom",),
    "completion": ("completion",),
}


def _command(module: str, name: str) -> Callable[[list[str]], None]:
    """A command whose module is loaded when it is called: the overview needs none of them."""

    def run(arguments: list[str]) -> None:
        getattr(importlib.import_module(f"kdlib.commands.{module}"), name)(arguments)

    return run


COMMANDS = {name: _command(module, name) for module, names in MODULES.items() for name in names}


def main(arguments: list[str] | None = None) -> None:
    """Run one command.

    Exit codes: 0 done, 1 a check of the doctor failed, a notebook was not graded or this package
    failed, 2 input that cannot be used, 130 stopped by a signal. An error is printed as one line, after its traceback if the
    environment variable ``KDLIB_TRACEBACK`` is set.

    Args:
        arguments: command and flags; those of the process by default.
    """
    # Set before torch is loaded. With huge pages, allocating and freeing matrices of megabytes
    # fragments the heap less: the peak of a short run fell from 1.0-1.4 GB to 0.8 GB.
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    prepare_console()
    try:
        with interrupting_signals():
            _dispatch(sys.argv[1:] if arguments is None else arguments)
            sys.stdout.flush()  # here, where a disk that is full is an error as any other
    except UserError as error:
        _fail(str(error), 2)
    except BrokenPipeError:  # the reader of the output is gone, for example `| head`
        silence()
    except OSError as error:
        _fail(_reason(error), 2)
    except KeyboardInterrupt as stopped:
        _fail(str(stopped) or "stopped", 130)
    except Exception as error:
        if _is_about_memory(error):
            _fail(
                "memory: there is not enough for this; take a smaller model, block or batch, or more"
                " gradient accumulation",
                2,
            )
        _fail(
            f"a fault in kdlib itself: {type(error).__name__}: {error}; KDLIB_TRACEBACK=1 shows"
            " where, please report it",
            1,
        )


def _reason(error: OSError) -> str:
    """The system's word on a file, or else what a library has to say: some raise OSError bare."""
    if error.strerror:
        return f"{error.filename or 'disk'}: {error.strerror}"
    return str(error).strip() or type(error).__name__


def _is_about_memory(error: Exception) -> bool:
    """Whether memory has run out: Python's, torch's on a CPU, or a GPU's."""
    # torch raises a plain RuntimeError on a CPU, so its text is all there is to go by.
    return (
        isinstance(error, MemoryError)
        or "OutOfMemory" in type(error).__name__
        or "not enough memory" in str(error)
        or "can't allocate memory" in str(error)
    )


def _fail(message: str, code: int) -> None:
    """Print the error that is being handled as one line and exit."""
    if os.environ.get("KDLIB_TRACEBACK"):
        traceback.print_exc()
    # With several ranks, each names itself: their errors need not be the same.
    rank = f" (process {os.environ['RANK']})" if "RANK" in os.environ else ""
    print(f"kdlib{rank}: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(code)


def _dispatch(arguments: list[str]) -> None:
    """Call the command that the first argument names."""
    name, *rest = arguments or ["help"]
    if name in ("-h", "--help", "help"):
        _help(rest)
    elif name in ("-V", "--version"):
        from kdlib import __version__

        show(f"kdlib {__version__}")
    else:
        _run(name, rest)


def _help(words: list[str]) -> None:
    """Print the overview, or the help of one command."""
    if words:
        _run(words[0], [*words[1:], "--help"])
    else:
        show(OVERVIEW)


def _run(name: str, arguments: list[str]) -> None:
    """Run a command by its name."""
    if name not in COMMANDS:
        close = difflib.get_close_matches(name, [*COMMANDS, "help"], n=1)
        hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(COMMANDS)}"
        raise UserError(f"unknown command: {name}; {hint}")
    check_ranks(os.environ)
    COMMANDS[name](arguments)
