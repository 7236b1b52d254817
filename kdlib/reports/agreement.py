"""Does the student agree with its teacher more often than the controls do, beyond chance?"""

from __future__ import annotations

from kdlib.reports.fields import CONTROLS
from kdlib.reports.intervals import Interval, advantage
from kdlib.reports.score_file import Scores


def agreement_leads(scores: Scores) -> dict[str, Interval]:
    """By how much the student agrees more often with its teacher than each control.

    Args:
        scores: of models that share their tokens.

    Returns:
        For each control of the first seed the student's top-1 agreement minus the control's, a
        share, with its interval over documents.
    """
    agreed = {
        name: scores.layout.by_unit(model.top1)[None] for name, model in scores.models.items()
    }
    # The control comes first: an advantage counts losses, of which fewer are better.
    return {
        name: advantage(agreed[name], agreed["student"], scores.unit_tokens)
        for name in CONTROLS
        if name in agreed
    }
