"""How many problems were solved, where a program can check the answers."""

from __future__ import annotations

from typing import Any

import numpy as np

from kdlib.reports.fields import LEARNERS, TWINS
from kdlib.reports.intervals import advantage


def answer_entries(right: dict[str, np.ndarray], seeds: list[int]) -> dict[str, Any]:
    """The report's entry on right answers.

    Args:
        right: by model (S, D), 1 where a training's answer to a problem is right, 0 elsewhere; the
            teacher's in one row.
        seeds: of the S trainings.
    """
    problems = next(iter(right.values())).shape[1]
    each = np.ones(problems)
    learned = [name for name in LEARNERS if name in right]
    return {
        "problems": problems,
        "right": {name: float(answers.mean()) for name, answers in right.items()},
        "lead": {
            name: advantage(1 - right["student"], 1 - right[name], each)
            for name in learned
            if name in TWINS
        },
        "trainings": [
            {"seed": seed} | {name: float(right[name][row].mean()) for name in learned}
            for row, seed in enumerate(seeds)
        ],
    }
