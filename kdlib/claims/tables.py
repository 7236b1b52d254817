"""What is printed of claims: all with their verdicts, or one with its numbers."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any, get_args

from kdlib.claims.claim import VALIDATION, Claim
from kdlib.claims.record import shipped
from kdlib.claims.rules import Verdict
from kdlib.reports.formatting import align, duration

WIDTH = 88
UNTRIED = "not tried yet"


def overview(claims: Mapping[str, Claim]) -> str:
    """Every claim with its verdict."""
    found = verdicts(claims)
    return "\n\n".join(
        f"{name}: {found[name]}\n{_wrapped(claim.sentence)}" for name, claim in claims.items()
    )


def verdicts(claims: Mapping[str, Claim]) -> dict[str, str]:
    """By name, what the shipped record says."""
    records = {name: shipped(name) for name in claims}
    return {name: record["verdict"] if record else UNTRIED for name, record in records.items()}


def foretold(claims: Mapping[str, Claim], mine: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """A row for each claim: what a reader expected, the verdict, and what decided.

    Args:
        claims: by their names.
        mine: by their names, "reproduced", "opposite" or "undecided"; empty or left out: no guess.
            Capitals and blanks around a word do not count.

    Raises:
        ValueError: for the name of no claim, or a word that is no verdict.
    """
    if unknown := [name for name in mine if name not in claims]:
        raise ValueError(f"there are no claims named {unknown}; there are {list(claims)}")
    words = get_args(Verdict)
    mine = {name: (word or "").strip().lower() for name, word in mine.items()}
    if strange := {name: word for name, word in mine.items() if word and word not in words}:
        raise ValueError(f"{strange}: a verdict is one of {list(words)}, or empty for no guess")
    return {name: _foretold(each, mine.get(name, "")) for name, each in claims.items()}


def _foretold(claim: Claim, guess: str) -> dict[str, str]:
    record = shipped(claim.name)
    verdict = record["verdict"] if record else UNTRIED
    agreed = "" if not (guess and record) else "yes" if guess == verdict else "no"
    found = [rule.interval(record["numbers"]) for rule in claim.rule] if record else []
    decided = [
        f"{rule.measure} {value:+.2f} ({low:+.2f} to {high:+.2f})"
        for rule, (value, low, high) in zip(claim.rule, found)
    ]
    row = {"yours": guess, "verdict": verdict, "agreed": agreed, "decided by": "; ".join(decided)}
    return {column: text or "-" for column, text in row.items()}


def plan(claim: Claim) -> str:
    """What is claimed, how it is tried and what decides."""
    source = claim.source
    parts = {
        "Claim": claim.sentence,
        "Source": f"{source.paper} ({source.year}), {source.where}: {source.measured}. Read:"
        f" {source.read}.",
        "Equal": claim.equal,
        "Rival": claim.rival,
        "Reach": claim.reach,
    }
    lines = [_named(name, text) for name, text in parts.items()]
    lines += ["Arms", *(_wrapped(f"{name}: {arm.words}") for name, arm in claim.arms.items())]
    lines += ["Decides", *(f"  {rule}" for rule in claim.rule)]
    return "\n".join([*lines, "Rival's", *(f"  {rule}" for rule in claim.rival_rules)])


def result(claim: Claim, record: Mapping[str, Any]) -> str:
    """The numbers of a record, its intervals and its verdict."""
    numbers = record["numbers"]
    measures = [name for name in claim.measures if name != VALIDATION]
    rows = [
        ["mean", *measures, "rate"],
        *(
            [arm, *(_mean(numbers[arm].get(name)) for name in measures), _rate(record, arm)]
            for arm in claim.arms
        ),
    ]
    found = claim.intervals(numbers)
    lines = [align(rows), "", f"95 % intervals over {len(record['seeds'])} trainings"]
    lines += [f"  {words}: {interval}" for words, interval in found.items()]
    seconds = duration(record["seconds"])
    lines += ["", f"Verdict: {record['verdict']} ({seconds} of training, {record['date']})"]
    return "\n".join(lines)


def quick_result(claim: Claim, numbers: Mapping[str, Mapping[str, Sequence[float]]]) -> str:
    """The numbers of the quick forms, which decide nothing."""
    measures = list(claim.measures)
    rows = [[arm, *(_mean(numbers[arm].get(name)) for name in measures)] for arm in claim.arms]
    return align([["quick form", *measures], *rows])


def compared(claim: Claim, record: Mapping[str, Any], before: Mapping[str, Any]) -> str:
    """How far a run is from the shipped record: verdicts, and each interval's value."""
    same = "the same verdict" if record["verdict"] == before["verdict"] else "another verdict"
    lines = [f"The shipped record, of {before['date']}: {before['verdict']}, {same}"]
    if set(record["numbers"]) != set(before["numbers"]):
        return "\n".join([*lines, "  It is of other arms."])
    new, old = claim.intervals(record["numbers"]), claim.intervals(before["numbers"])
    return "\n".join([*lines, *(f"  {words}: {old[words]} there" for words in new)])


def _mean(values: Sequence[float] | None) -> str:
    return "-" if values is None else f"{fmean(values):.3f}"


def _rate(record: Mapping[str, Any], arm: str) -> str:
    return f"{record['rates'][arm]:g}" if arm in record["rates"] else "-"


def _named(name: str, text: str) -> str:
    return f"{name}\n{_wrapped(text)}"


def _wrapped(text: str) -> str:
    return textwrap.fill(text, WIDTH, initial_indent="  ", subsequent_indent="  ")
