"""An entry: a recipe, and what came of it on the validation documents. Also the reading of all."""

from __future__ import annotations

import json
import math
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from kdlib.challenge.definition import Challenge
from kdlib.challenge.rules import admitted, free_settings
from kdlib.errors import UserError
from kdlib.files import read_json, write_atomically
from kdlib.jobs.recipe import Recipe
from kdlib.jobs.recipe_files import load_recipe
from kdlib.reports.intervals import Interval, advantage

FORMAT = "kdlib-challenge-1"
FOLDER = Path(str(resources.files("kdlib.challenge"))) / "entries"
KEYS = {
    "format", "name", "settings", "checksums", "parameters", "operations", "seeds", "documents",
    "tokens", "nats", "validation", "test", "machine", "versions", "date",
}  # fmt: skip


class Entry(NamedTuple):
    """An entry as it is read.

    Attributes:
        name: of its files.
        idea: the comment at the top of its recipe.
        recipe: what was trained.
        record: what came of it; see `new_record`.
    """

    name: str
    idea: str
    recipe: Recipe
    record: dict[str, Any]

    @property
    def validation(self) -> float:
        """The mean over trainings, nats per token."""
        return float(self.record["validation"])

    @property
    def test(self) -> float | None:
        """The same on the test documents; None until it is accepted."""
        test = self.record["test"]
        return None if test is None else float(np.mean(test["nats_per_token"]))

    def lead_over(self, other: Entry) -> Interval:
        """By how many nats per token this one is ahead, with a 95 % interval over trainings and
        validation documents."""
        mine, theirs = (np.array(entry.record["nats"]) for entry in (self, other))
        return advantage(mine, theirs, np.array(self.record["tokens"]))


def new_record(
    challenge: Challenge,
    name: str,
    recipe: Recipe,
    nats: np.ndarray,
    tokens: np.ndarray,
    **facts: Any,
) -> dict[str, Any]:
    """What an entry's file holds.

    Args:
        challenge: what it was made for.
        name: of the entry.
        recipe: as it was trained.
        nats: (S, D) summed surprise of each training on each validation document.
        tokens: (D,) of each document.
        **facts: the names of the "documents", "parameters", "operations" of one training, "machine",
            "versions", "date".

    Returns:
        The record, without a test.
    """
    return {
        "format": FORMAT,
        "name": name,
        "settings": free_settings(recipe),
        "checksums": checksums(challenge),
        "seeds": list(challenge.seeds),
        "tokens": [int(each) for each in tokens],
        "nats": [[round(float(each), 2) for each in row] for row in nats],
        "validation": mean_loss(nats, tokens),
        "test": None,
        **facts,
    }


def mean_loss(nats: np.ndarray, tokens: np.ndarray) -> float:
    """Nats per token over all trainings and documents, to four digits after the point."""
    return round(float(nats.sum() / (len(nats) * tokens.sum())), 4)


def checksums(challenge: Challenge) -> dict[str, str]:
    """Of what an entry was made from."""
    return {
        "lesson": challenge.lesson_sha256,
        "validation": challenge.validation_sha256,
        "teacher": challenge.teacher_sha256,
    }


def write_record(path: Path, record: dict[str, Any]) -> None:
    """Write an entry's record, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, json.dumps(record, indent=1, ensure_ascii=False) + "\n")


def read_entry(challenge: Challenge, path: Path) -> Entry:
    """Read an entry.

    Args:
        challenge: whose entry it is.
        path: of its recipe, NAME.toml; its record NAME.json lies beside it.

    Raises:
        UserError: for a file that is missing or damaged, and for an entry that breaks a rule.
    """
    recipe, record_path = load_recipe(str(path)), path.with_suffix(".json")
    try:
        record = read_json(record_path)
    except (OSError, ValueError) as error:
        raise UserError(f"entry: {record_path} cannot be read: {error}") from error
    entry = Entry(path.stem, idea_of(path), admitted(challenge, recipe), record)
    if found := faults(challenge, entry):
        raise UserError(f"entry: {record_path}: {'; '.join(found)}")
    return entry


def read_entries(challenge: Challenge, folder: Path | None = None) -> list[Entry]:
    """All entries of a folder, by default those that come along, the best on validation first."""
    paths = sorted((folder or FOLDER).glob("*.toml"))
    found = [read_entry(challenge, path) for path in paths]
    return sorted(found, key=lambda entry: (entry.validation, entry.name))


def idea_of(path: Path) -> str:
    """The comment at the top of a recipe file, as one line; "" if there is none."""
    lines = []
    for line in path.read_text("utf-8").splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.lstrip("# ").rstrip())
    return " ".join(lines)


def faults(challenge: Challenge, entry: Entry) -> list[str]:
    """What in an entry breaks a rule or does not fit its recipe: one sentence each."""
    record = entry.record
    if not isinstance(record, dict) or record.get("format") != FORMAT or set(record) != KEYS:
        return [f"it is no record of the format {FORMAT}"]
    found = []
    chosen = free_settings(entry.recipe)
    changed = [name for name, value in record["settings"].items() if chosen.get(name) != value]
    if changed:
        found.append(f"its recipe says something else on {', '.join(changed)}: train it again")
    if record["name"] != entry.name:
        found.append(f"it is the record of {record['name']!r}")
    if record["checksums"] != checksums(challenge):
        found.append("it was made from another text or another teacher")
    if record["seeds"] != list(challenge.seeds):
        found.append(f"its seeds are not {list(challenge.seeds)}")
    for what in ("parameters", "operations"):
        if record[what] > getattr(challenge, what):
            found.append(f"{record[what]:,} {what} are more than {getattr(challenge, what):,}")
    return found + _of_numbers(challenge, record)


def _of_numbers(challenge: Challenge, record: dict[str, Any]) -> list[str]:
    """Faults in the losses: their shape, their finiteness, their mean."""
    nats, tokens = np.array(record["nats"], dtype=float), np.array(record["tokens"])
    if (
        nats.shape != (len(challenge.seeds), len(record["documents"]))
        or len(tokens) != nats.shape[1]
    ):
        return ["its losses are not one for each training and document"]
    if not np.isfinite(nats).all() or not math.isclose(
        mean_loss(nats, tokens), record["validation"], abs_tol=2e-4
    ):
        return ["its validation loss is not the mean of its losses"]
    return []
