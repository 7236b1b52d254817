"""The calibration figure of chapter 7: the report's diagram, with alt text by the author."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kdlib.plots.run_reliability import reliability
from kdlib.plots.style import Picture


def calibrations(results: Mapping[str, Mapping[str, Any]], *, alt: str) -> Picture:
    """Reliability diagram (`reliability`) of models that have just been evaluated.

    The report's alt text gives the calibration errors to three digits, which differ between
    processors. This one is the author's.

    Args:
        results: a model's name in the report to its result of
            `kdlib.reports.summary.summarise_scores`.
        alt: the alt text.

    Returns:
        The picture.
    """
    picture = reliability(results)
    picture.alt = alt
    return picture
