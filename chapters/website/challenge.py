"""The page of the challenge: its table, its rules, and each entry with its recipe."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any

from kdlib.challenge.definition import CHALLENGE
from kdlib.challenge.entry import FOLDER, Entry, read_entries
from kdlib.challenge.table import BASELINE, lead, rows, rules
from kdlib.reports.formatting import percent, short

NAME = "challenge"
TEXT = Path(__file__).with_name(f"{NAME}.md")
HEAD = f"| entry | validation | ahead of {BASELINE} | test |\n|---|---|---|---|"


def page() -> str:
    """The page as Markdown."""
    entries = read_entries(CHALLENGE)
    return TEXT.read_text("utf-8").format(
        parameters=f"{CHALLENGE.parameters / 1e6:g}",
        operations=short(CHALLENGE.operations),
        trainings=len(CHALLENGE.seeds),
        table=table(entries),
        entries="\n\n".join(_entry(row) for row in rows(entries)),
        rules="\n".join(f"{number}. {rule}" for number, rule in enumerate(rules(CHALLENGE), 1)),
    )


def table(entries: list[Entry]) -> str:
    """All entries as a Markdown table, the best first."""
    return "\n".join([HEAD, *(_row(row) for row in rows(entries))])


def _row(row: dict[str, Any]) -> str:
    cells = (
        f"[{row['name']}](#{anchor(row['name'])})",
        f"{row['validation']:.3f}",
        "–" if row["lead"] is None else lead(row["lead"]),
        "–" if row["test"] is None else f"{row['test']:.3f}",
    )
    return f"| {' | '.join(cells)} |"


def anchor(name: str) -> str:
    """The target of an entry's heading."""
    return f"entry-{name}"


def _entry(row: dict[str, Any]) -> str:
    """One entry: its idea, what it changes, and its recipe, folded."""
    recipe = (FOLDER / f"{row['name']}.toml").read_text("utf-8").strip()
    changed = [f"`{name} = {_value(value)}`" for name, value in row["changes"].items()]
    share = percent(row["operations"] / CHALLENGE.operations, 1)
    facts = f"{row['parameters']:,} parameters; {share} of the operations."
    if changed:
        facts += f" Other than in {BASELINE}: {', '.join(changed)}."
    summary = f"The recipe {html.escape(row['name'])}.toml"
    return (
        f"({anchor(row['name'])})=\n### {row['place']}. {row['name']}\n\n{row['idea']}\n\n{facts}\n\n"
        f'<details class="hint"><summary>{summary}</summary>\n\n```toml\n{recipe}\n```\n\n</details>'
    )


def _value(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
