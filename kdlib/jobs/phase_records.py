"""What the phases of a run took, from its state to its report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kdlib.reports.fields import LEARNERS
from kdlib.training.metrics import Metrics
from kdlib.training.run_state import read_state

PHASES = ("tokenizer", "teacher", "teacher_pass", *LEARNERS, "evaluation")


def cost_entries(state: dict[str, Any]) -> dict[str, Any]:
    """The entries of a report on the seconds and the operations of each phase."""
    entries = {kind: _by_phase(state[kind]) for kind in ("operations", "seconds")}
    entries["seconds"]["total"] = sum(entries["seconds"].values())
    return entries


def _by_phase(records: dict[str, float]) -> dict[str, float]:
    """The records of the phases, those of the further seeds in one sum.

    The attempts of a patient control are left out: they are in its own record.
    """
    known = {phase: records[phase] for phase in PHASES if phase in records}
    folders = [name.partition("/") for name in records]
    others = [f"{seed}/{role}" for seed, _, role in folders if role in LEARNERS]
    return known | ({"other_seeds": sum(records[name] for name in others)} if others else {})


def training_entries(state: dict[str, Any]) -> dict[str, dict[str, int]]:
    """Steps and tokens of each training that a report shows in full, by the model's name."""
    return {name: state["training"][name] for name in PHASES if name in state["training"]}


def writing_share(folder: Path) -> dict[str, float]:
    """What share of the student's training time went into writing its own texts, if it wrote."""
    rows = [row for row in Metrics(folder).rows() if row["phase"] == "student"]
    seconds = [row["writing_seconds"] for row in rows if "writing_seconds" in row]
    if not seconds:
        return {}
    return {"writing_share": sum(seconds) / read_state(folder)["seconds"]["student"]}


def shown_metrics(folder: Path) -> list[dict[str, Any]]:
    """The log of every training that a report shows; of a patient control's, the one kept."""
    names = {best: patient for patient, best in read_state(folder).get("best_of", {}).items()}
    rows = Metrics(folder).rows()
    kept = [row | {"phase": names[row["phase"]]} for row in rows if row["phase"] in names]
    return rows + kept
