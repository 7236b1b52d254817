"""What is printed of the challenge: its rules, the table of entries, and one entry."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np

from kdlib.challenge.definition import Challenge
from kdlib.challenge.entry import Entry
from kdlib.challenge.rules import Cost
from kdlib.jobs.fields import values_of
from kdlib.reports.formatting import align, percent, short

BASELINE = "pocket"  # the entry that the others are compared with
WIDTH = 98


def rules(challenge: Challenge) -> list[str]:
    """The rules, a sentence or two each."""
    data = challenge.data
    return [
        f"The student has at most {challenge.parameters:,} parameters and begins with random weights.",
        f"It reads {percent(data.fraction)} of the training documents of {data.text!r}, known by checksum, in"
        f" blocks of {data.block} tokens, as often as it can afford.",
        f"It may ask the teacher {challenge.teacher!r}, known by checksum, and nobody else.",
        f"One training takes at most {challenge.operations:,} operations: multiplications and additions"
        " of matrix products. Counted are the student's forward and backward passes, what it writes"
        " itself, and every forward pass of the teacher over text that it is asked about, before the"
        " training or in it. Not counted are softmaxes, norms and the optimiser, the looks at the"
        " validation text, and the teacher's own training.",
        f"It is trained {len(challenge.seeds)} times, with the seeds"
        f" {', '.join(map(str, challenge.seeds))}. Tune with another, such as {challenge.tuning_seed}.",
        "Entries are compared by their mean loss on the validation documents. The test documents are"
        " read when an entry is accepted, once, and by whoever accepts it.",
    ]


def printed_rules(challenge: Challenge) -> str:
    """The rules as a numbered list for the terminal."""
    return "\n".join(
        textwrap.fill(f"{number}. {rule}", WIDTH, subsequent_indent="   ")
        for number, rule in enumerate(rules(challenge), 1)
    )


def rows(entries: Sequence[Entry]) -> list[dict[str, Any]]:
    """A row for each entry, in the order given: numbers, for any table.

    Args:
        entries: the best first.
    """
    baseline = next((entry for entry in entries if entry.name == BASELINE), None)
    return [_row(place, entry, baseline) for place, entry in enumerate(entries, 1)]


def _row(place: int, entry: Entry, baseline: Entry | None) -> dict[str, Any]:
    record = entry.record
    return {
        "place": place,
        "name": entry.name,
        "idea": entry.idea,
        "changes": changes(entry, baseline),
        "validation": entry.validation,
        "lead": None if baseline in (None, entry) else entry.lead_over(baseline),
        "parameters": record["parameters"],
        "operations": record["operations"],
        "test": entry.test,
    }


def changes(entry: Entry, baseline: Entry | None) -> dict[str, Any]:
    """The settings in which an entry differs from the baseline, by dotted name."""
    if baseline is None or entry is baseline:
        return {}
    before = {each.name: each.value for each in values_of(baseline.recipe)}
    return {
        each.name: each.value
        for each in values_of(entry.recipe)
        if each.value != before[each.name] and not each.name.endswith("_every")
    }


def printed_table(entries: Sequence[Entry]) -> str:
    """The table for the terminal."""
    lines = [["entry", "validation", f"ahead of {BASELINE}", "parameters", "operations", "test"]]
    for row in rows(entries):
        lines.append(
            [
                f"{row['place']}. {row['name']}",
                f"{row['validation']:.3f}",
                "-" if row["lead"] is None else lead(row["lead"]),
                f"{row['parameters']:,}",
                short(row["operations"]),
                "-" if row["test"] is None else f"{row['test']:.3f}",
            ]
        )
    about = (
        "Nats per token, lower is better; ahead: with a 95 % interval over trainings and validation"
        " documents; test: filled in when an entry is accepted."
    )
    return f"{align(lines)}\n\n{textwrap.fill(about, WIDTH)}"


def lead(interval: Any) -> str:
    """A difference with its interval."""
    return f"{interval['value']:+.3f} ({interval['low']:+.3f} to {interval['high']:+.3f})"


def printed_cost(challenge: Challenge, cost: Cost, steps: int) -> str:
    """What a training will take of what is allowed."""
    share = cost.operations / challenge.operations
    return (
        align(
            [
                ["", "of this recipe", "allowed"],
                ["parameters", f"{cost.parameters:,}", f"{challenge.parameters:,}"],
                ["operations", f"{cost.operations:,}", f"{challenge.operations:,}"],
                ["steps", f"{steps:,}", f"{cost.most_steps:,}"],
            ]
        )
        + f"\nIt spends {percent(share, 1)} of the budget."
    )


def printed_result(entry: Entry, others: Sequence[Entry]) -> str:
    """What a run has found, and its place among the entries."""
    record = entry.record
    losses = np.array(record["nats"]).sum(1) / np.array(record["tokens"]).sum()
    ahead = [
        other.name
        for other in others
        if other.name != entry.name and other.validation < entry.validation
    ]
    lines = [
        f"Validation: {entry.validation:.4f} nats per token"
        f" (trainings: {', '.join(f'{loss:.4f}' for loss in losses)})",
    ]
    baseline = next((other for other in others if other.name == BASELINE), None)
    if baseline is not None and entry.name != BASELINE:
        lines.append(
            f"Ahead of {BASELINE}: {lead(entry.lead_over(baseline))}, 95 % interval over"
            f" {len(losses)} trainings and {len(record['tokens'])} validation documents"
        )
    lines.append(f"Place: {len(ahead) + 1} of {len({o.name for o in others} | {entry.name})}")
    return "\n".join(lines)
