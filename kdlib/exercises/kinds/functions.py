"""Exercises whose answer is code: a function, judged by what it does on seeded probes."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from kdlib.exercises.judging.case import Case, Finding, Outcomes, Probe, Symptom, exact
from kdlib.exercises.judging.diagnosis import diagnose
from kdlib.exercises.judging.sandbox import Failure, call, within
from kdlib.exercises.judging.surroundings import intact
from kdlib.exercises.judging.verdict import WRONG, Verdict
from kdlib.exercises.judging.wrong import Wrong
from kdlib.exercises.kinds.base import Exercise
from kdlib.exercises.kinds.stubs import definition, stub

RTOL, ATOL = 1e-4, 1e-6
OUTSIDE = (
    "Something outside of your answer has changed, such as a function of torch that was replaced: "
    "the book's own answer does not give what it should. If you did not mean to, restart the"
    " kernel."
)


class ReferenceFails(RuntimeError):
    """The book's own answer raises an error: a fault of the author, or of what was replaced."""


def code(
    *,
    source: tuple[str, ...],
    difficulty: int,
    minutes: int,
    prompt: str,
    hints: tuple[str, ...],
    explanation: str = "",
    rtol: float = RTOL,
    atol: float = ATOL,
) -> Callable[[Callable[..., Any]], CodeExercise]:
    """Make the decorated function the reference of an exercise, with the function's name as its id.

    The stub is made from the function too: its first lines and its docstring.
    """

    def make(reference: Callable[..., Any]) -> CodeExercise:
        return CodeExercise(
            id=reference.__name__.replace("_", "-"),
            reference=reference,
            source=source,
            difficulty=difficulty,
            minutes=minutes,
            prompt=prompt,
            hints=hints,
            explanation=explanation,
            rtol=rtol,
            atol=atol,
        )

    return make


@dataclass(eq=False, kw_only=True, repr=False)
class CodeExercise(Exercise):
    reference: Callable[..., Any]
    rtol: float
    atol: float
    probes: list[Probe] = field(default_factory=list)
    alternatives: list[Callable[..., Any]] = field(default_factory=list)
    symptoms: list[Symptom] = field(default_factory=list)

    kind = "code"
    failed = "an error in your code"

    # What an author calls.

    def probe(
        self,
        name: str,
        *args: Any,
        measure: Callable[..., Any] | None = None,
        points_to: str | None = None,
        expected: str = "",
    ) -> None:
        """Add an input. measure(function, *args) may replace the plain call, e.g. by a gradient.

        points_to: the mistake that is named when nothing but such probes fails.
        """
        if any(probe.name == name for probe in self.probes):
            raise ValueError(f"{self.id}: two probes are called {name!r}")
        self.probes.append(Probe(name, args, measure, points_to, expected))

    def also(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Decorator: another correct solution."""
        self.alternatives.append(function)
        return function

    def wrong(self, misconception: str, *, seen: str, expected: str) -> Callable[..., Any]:
        """Decorator: a named wrong answer."""

        def add(function: Callable[..., Any]) -> Callable[..., Any]:
            self.wrongs.append(Wrong(misconception, seen, expected, function))
            return function

        return add

    def mistakes(self, *rows: tuple[str, str, str, Callable[..., Any]]) -> None:
        """Name wrong answers in a table of rows (misconception, seen, expected, function)."""
        for misconception, seen, expected, function in rows:
            self.wrong(misconception, seen=seen, expected=expected)(function)

    def symptom(self, misconception: str, *, seen: str, expected: str) -> Callable[..., Any]:
        """Decorator: a rule over {probe name: result} that gives a mistake away."""

        def add(rule: Callable[[Outcomes], bool]) -> Callable[..., Any]:
            self.symptoms.append(Symptom(Wrong(misconception, seen, expected), rule))
            return rule

        return add

    # What the engine and the tests call.

    def _judged(self, judge: Callable[[], Verdict], seconds: float) -> Verdict:
        try:
            within(60.0, lambda: self.known)  # made at the first check, and not in its seconds
            return super()._judged(judge, seconds)
        except ReferenceFails as failed:
            return self.error(f"{failed}\n{OUTSIDE}")

    def judge(self, answer: Any) -> Verdict:
        if answer is None or answer is ...:
            return self.untouched()
        if not callable(answer):
            note = f"check() needs the function itself; it was given a {type(answer).__name__}."
            return self.error(f"{note}\nHand over its name, without brackets.")
        with intact():
            runs = {p.name: call(answer, p.args, p.measure) for p in self.probes}
        verdict = self._compared({name: run.value for name, run in runs.items()})
        if any(run.mutated for run in runs.values()):
            note = (
                "Your function changes its arguments in place; its callers would not expect that."
            )
            verdict = verdict.with_note(note)
        return verdict

    def _compared(self, seen: Outcomes) -> Verdict:
        """The verdict. Nothing is called wrong by a table that the reference would not give now."""
        case = self._case(seen)
        verdict = self._verdict(case)
        if verdict.outcome != WRONG or self._still_gives(case.failing[0]):
            return verdict
        del self.known
        return self._verdict(self._case(seen)).with_note(
            f"{OUTSIDE}\nYour results were compared with what the book's own answer gives now."
        )

    def _still_gives(self, name: str) -> bool:
        """Whether the reference gives on this probe what is known of it."""
        right, _ = self.known
        probe = next(probe for probe in self.probes if probe.name == name)
        now = {name: call(self.reference, probe.args, probe.measure).value}
        return self._case({**right, **now}).failing == []

    def _case(self, seen: Outcomes) -> Case:
        right, wrongs = self.known
        return Case(
            seen, right, wrongs, self.symptoms, self.probes, self.rtol, self.atol, self._purpose
        )

    def _verdict(self, case: Case) -> Verdict:
        failures = {n: value for n, value in case.seen.items() if isinstance(value, Failure)}
        if len(failures) == len(case.seen) and all(f.stub for f in failures.values()):
            nothing = any(f.kind == "nothing" for f in failures.values())
            return self.untouched(
                "It returns nothing: does it end with `return`?" if nothing else ""
            )
        if failures and exact(case) is None:
            return self._failed(*next(iter(failures.items())))
        found = diagnose(case)
        if found is None:
            return self.correct()
        if isinstance(found, Finding):
            return self.unknown(found.seen, found.expected)
        return self.verdict_of(found)

    def _failed(self, name: str, failure: Failure) -> Verdict:
        seen = {
            "WrongType": f"the result is {failure.text}",
            "unusable": f"the result cannot be used: {failure.text}",
            "nothing": "nothing is returned",
        }.get(failure.kind)
        if seen is not None:
            return self.unknown(f'on the probe "{name}" {seen}', self._purpose)
        return self.error(f'On the probe "{name}":\n{failure.text}')

    def right_answers(self) -> list[Callable[..., Any]]:
        return [self.reference, *self.alternatives]

    @property
    def stub_answer(self) -> Callable[..., Any]:
        def untouched(*args: Any) -> None:
            raise NotImplementedError

        return untouched

    @property
    def answer_name(self) -> str:
        return self.reference.__name__

    @property
    def answer_stub(self) -> str:
        return stub(self.reference)

    @property
    def answer_solved(self) -> str:
        return definition(self.reference)

    @functools.cached_property
    def known(self) -> tuple[Outcomes, list[tuple[Wrong, Outcomes]]]:
        """The outcomes of the reference and of every named wrong answer."""
        if not self.probes:
            raise ValueError(f"{self.id}: there are no probes")
        right = self._outcomes(self.reference)
        if failed := [name for name, value in right.items() if isinstance(value, Failure)]:
            raise ReferenceFails(f"{self.id}: the reference fails: {right[failed[0]].text}")
        return right, [(w, self._outcomes(w.example)) for w in self.wrongs]

    def _outcomes(self, function: Callable[..., Any]) -> Outcomes:
        return {p.name: call(function, p.args, p.measure).value for p in self.probes}

    @property
    def _purpose(self) -> str:
        return (inspect.getdoc(self.reference) or "").splitlines()[0]
