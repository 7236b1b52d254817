"""Running a claim: tune every arm, train it with every seed, keep each number as it comes.

One process a core, each with one thread: small models train no faster with two. Each training ends
in a line of the notes, so that a run which was stopped goes on where it was.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

import torch

from kdlib.claims.claim import VALIDATION, Arm, Claim
from kdlib.claims.record import rounded, versions
from kdlib.claims.registry import claim as claim_named
from kdlib.errors import UserError
from kdlib.files import write_atomically
from kdlib.machine.progress import progress_bar

MOST_WORKERS = 8

Found = dict[str, float]  # by measure, the numbers of one training


class Training(NamedTuple):
    """One training of an arm."""

    claim: str
    arm: str
    rate: float
    seed: int
    quick: bool = False

    @property
    def key(self) -> str:
        """Its name in the notes."""
        return f"{self.arm}, rate {self.rate:g}, seed {self.seed}" + ", quick" * self.quick


Trainer = Callable[[list[Training]], Iterator[tuple[Training, Found, float]]]


def quick_trainings(claim: Claim) -> list[Training]:
    """One small training of every arm."""
    return [
        Training(claim.name, name, arm.quick_rate, claim.seeds[0], True)
        for name, arm in claim.arms.items()
    ]


def run_claim(claim: Claim, notes: Path, machine: str) -> dict[str, Any]:
    """Run all of a claim, or what is left of it.

    Args:
        claim: what is tried.
        notes: the file that keeps each training; made if it is not there.
        machine: in words, for the record.

    Returns:
        The record.

    Raises:
        UserError: if the notes are of other settings.
    """
    book = Notes(notes, claim)
    with in_processes() as trainer:
        book.fill(quick_trainings(claim), trainer, "quick forms")
        book.fill(_sweep(claim), trainer, "tuning")
        rates = {name: _best(book, claim, name) for name in claim.arms}
        finals = {
            name: [Training(claim.name, name, rates[name], seed) for seed in claim.seeds]
            for name in claim.arms
        }
        book.fill(sum(finals.values(), []), trainer, "trainings")
    numbers = {name: book.columns(trainings) for name, trainings in finals.items()}
    return {
        "claim": claim.name,
        "verdict": claim.verdict(numbers),
        "rule": [str(rule) for rule in claim.rule],
        "settings": book.settings,
        "seeds": list(claim.seeds),
        "date": time.strftime("%Y-%m-%d"),
        "machine": machine,
        "versions": versions(),
        "seconds": round(book.seconds),
        "tuning": {n: _tuning(book, claim, n) for n, arm in claim.arms.items() if arm.rates},
        "rates": {name: rates[name] for name, arm in claim.arms.items() if arm.rates},
        "numbers": numbers,
        "quick": {t.arm: book.found(t) for t in quick_trainings(claim)},
    }


def run_quick(claim: Claim) -> dict[str, dict[str, list[float]]]:
    """The quick form of every arm, in this process: numbers as of one training."""
    return {
        training.arm: {measure: [value] for measure, value in found.items()}
        for training, found, _ in one_by_one(quick_trainings(claim))
    }


class Notes:
    """The trainings of a claim that are done, on disk.

    Args:
        path: of the file.
        claim: whose they are.
    """

    def __init__(self, path: Path, claim: Claim) -> None:
        self.path = path
        self.settings = json.loads(json.dumps(dict(claim.settings)))
        self.done: dict[str, dict[str, Any]] = {}
        if path.is_file():
            self._read()

    def _read(self) -> None:
        try:
            kept = json.loads(self.path.read_text("utf-8"))
            settings, self.done = kept["settings"], dict(kept["done"])
            if any(not {"numbers", "seconds"} <= set(each) for each in self.done.values()):
                raise ValueError("an entry without numbers")
        except (ValueError, KeyError, TypeError, OSError):
            raise UserError(f"{self.path}: no notes of a claim; delete it to begin anew") from None
        if settings != self.settings:
            raise UserError(f"{self.path}: of other settings than the claim's; delete it")

    def fill(self, trainings: list[Training], trainer: Trainer, phase: str) -> None:
        """Do what is not done yet, and note each as it ends."""
        left = [each for each in trainings if each.key not in self.done]
        done = len(trainings) - len(left)
        with progress_bar(phase, len(trainings), done=done, unit="training") as progress:
            for training, found, seconds in trainer(left) if left else ():
                kept = {name: rounded(value) for name, value in found.items()}
                self.done[training.key] = {"numbers": kept, "seconds": round(seconds, 1)}
                self.path.parent.mkdir(parents=True, exist_ok=True)
                content = {"settings": self.settings, "done": self.done}
                write_atomically(self.path, json.dumps(content, indent=1).encode())
                progress.update()

    def found(self, training: Training) -> Found:
        """The numbers of a training that is done."""
        return dict(self.done[training.key]["numbers"])

    def columns(self, trainings: list[Training]) -> dict[str, list[float]]:
        """By measure, one number a training."""
        rows = [self.found(each) for each in trainings]
        return {measure: [row[measure] for row in rows] for measure in rows[0]}

    @property
    def seconds(self) -> float:
        """Of all trainings together, as if one after the other."""
        return sum(float(each["seconds"]) for each in self.done.values())


def _sweep(claim: Claim) -> list[Training]:
    return [
        Training(claim.name, name, rate, seed)
        for name, arm in claim.arms.items()
        for rate in arm.rates
        for seed in claim.tuning_seeds
    ]


def _tuning(book: Notes, claim: Claim, name: str) -> dict[str, float]:
    """By rate, the mean validation loss of an arm over the tuning's seeds."""

    def losses(rate: float) -> list[float]:
        return [
            book.found(Training(claim.name, name, rate, seed))[VALIDATION]
            for seed in claim.tuning_seeds
        ]

    return {f"{rate:g}": rounded(fmean(losses(rate))) for rate in claim.arms[name].rates}


def _best(book: Notes, claim: Claim, name: str) -> float:
    """The rate with the lowest validation loss; 0 where there is none."""
    arm: Arm = claim.arms[name]
    tuned: Mapping[str, float] = _tuning(book, claim, name)
    return min(arm.rates, key=lambda rate: tuned[f"{rate:g}"], default=0.0)


def one_by_one(trainings: list[Training]) -> Iterator[tuple[Training, Found, float]]:
    """Train here, one after the other."""
    yield from map(_train, trainings)


def workers() -> int:
    """How many trainings run at once: one a core, no more than memory bears on a large machine."""
    return min(MOST_WORKERS, os.cpu_count() or 1)


@contextlib.contextmanager
def in_processes() -> Iterator[Trainer]:
    """Train in as many processes as there are processors, whichever ends first."""
    context = multiprocessing.get_context("spawn")  # a fork would copy torch's threads' locks
    pool = ProcessPoolExecutor(workers(), mp_context=context, initializer=_begin)
    # tqdm reads this when it is imported: bars of several processes would write over one another.
    with _environment(TQDM_DISABLE="1"):
        try:
            yield lambda trainings: _as_they_end(pool, _train, trainings)
        finally:
            # Whoever stops a run does not wait for the trainings that have begun.
            for child in multiprocessing.active_children():
                child.terminate()
            pool.shutdown(cancel_futures=True)


def _as_they_end(pool: Executor, work: Callable[[Any], Any], tasks: Sequence[Any]) -> Iterator[Any]:
    """What work makes of each task, whichever is done first.

    A process that the system has killed is an error here. A `multiprocessing.Pool` would start
    another one, lose the task, and wait for it for ever.
    """
    try:
        for done in as_completed([pool.submit(work, task) for task in tasks]):
            yield done.result()
    except BrokenProcessPool:
        raise UserError(
            "claim: a process that trained was killed, perhaps for want of memory; what is done is"
            " kept, and the same command goes on"
        ) from None


@contextlib.contextmanager
def _environment(**values: str) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _begin() -> None:
    """In a new process. Ctrl-C reaches all processes of a terminal; the first one deals with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)


def _train(training: Training) -> tuple[Training, Found, float]:
    arm = claim_named(training.claim).arms[training.arm]
    started = time.perf_counter()
    found = dict(arm.train(training.rate, training.seed, training.quick))
    return training, found, time.perf_counter() - started
