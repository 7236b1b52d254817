"""How sharp the probes of the code exercises are: references with one slip, put to their checks.

    python tests/exercises/mutants.py            # the table
    python tests/exercises/mutants.py soften     # the survivors of these exercises

A survivor is a mutant that is judged correct. Either a probe is missing, or the mutant is right within
what the prompt promises; then equivalent_mutants.toml names it under its exercise, as
``"the reason" = ["name", "kind: *"]``; a last * stands for whatever follows. An answer whose verdict
says that it changes its arguments in place is no survivor: it is correct, and its author is told.
"""

import inspect
import os
import sys
import tomllib
from pathlib import Path

if __name__ == "__main__":
    os.environ["KDLIB_PROGRESS_DIR"] = "off"

import torch
from generic_mistakes import generic_mistakes
from source_mutants import source_mutants
from torch import nn

from kdlib.exercises import exercises
from kdlib.exercises.judging.sandbox import call
from kdlib.exercises.kinds.functions import CodeExercise

EQUIVALENT = Path(__file__).with_name("equivalent_mutants.toml")
CODE = [e for e in exercises().values() if isinstance(e, CodeExercise)]
SECONDS = 1.5  # of work, after which a mutant is taken to loop forever


def mutants(e):
    """Pairs (name, function) for a code exercise."""
    names, values = list(inspect.signature(e.reference).parameters), _first_call(e)
    of_kind = {}
    for name, value in zip(names, values):
        of_kind.setdefault(_kind(value), []).append(name)
    yield from source_mutants(e.reference, of_kind.values())
    yield from generic_mistakes(e.reference, names, values)


def _first_call(e):
    """The arguments with which the reference is first called."""
    calls = []

    def spy(*args):
        calls.append(args)
        return e.reference(*args)

    call(spy, e.probes[0].args, e.probes[0].measure)
    return calls[0]


def _kind(value):
    """What is of one kind may be taken for each other: real tensors, models, lists, numbers."""
    if isinstance(value, torch.Tensor):
        return "reals" if value.is_floating_point() else "integers"
    return "a model" if isinstance(value, nn.Module) else type(value).__name__


def survivors(e):
    """The names of the mutants that are judged correct, and the number of mutants."""
    found, number = [], 0
    for name, function in mutants(e):
        number += 1
        verdict = e.check(function, seconds=SECONDS)
        if verdict and "changes its arguments in place" not in verdict.note:
            found.append(name)
    return found, number


def shown_to_be_right(e):
    """From equivalent_mutants.toml: all names of mutants that its entries speak of."""
    patterns = [p for names in _reasons().get(e.id, {}).values() for p in names]
    names = [name for name, _ in mutants(e)]
    right = {name for name in names if any(_is_meant(p, name) for p in patterns)}
    unknown = {p for p in patterns if not any(_is_meant(p, name) for name in names)}
    return right | unknown


def _reasons():
    return tomllib.loads(EQUIVALENT.read_text("utf-8"))


def _is_meant(pattern, name):
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern


def _row(e):
    found, number = survivors(e)
    right = shown_to_be_right(e)
    unexplained = [name for name in found if name not in right]
    stale = sorted(right - set(found))
    print(
        f"{e.id:26}{number:8}{number - len(found):8}{len(found) - len(unexplained):8}"
        f"{len(unexplained):12}{len(stale):7}",
        flush=True,
    )
    return unexplained, stale


def main(ids):
    print(f"{'exercise':26}{'mutants':>8}{'killed':>8}{'right':>8}{'unexplained':>12}{'stale':>7}")
    for e in CODE:
        if not ids or e.id in ids or e.reference.__module__.split(".")[-2] in ids:
            unexplained, stale = _row(e)
            for name in unexplained if ids else ():
                print(f"    survives: {name}")
            for name in stale if ids else ():
                print(f"    no longer survives: {name}")


if __name__ == "__main__":
    main(sys.argv[1:])
