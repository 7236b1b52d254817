"""The calibration of chapter 7: the report's diagram, with words that outlive a processor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kdlib.plots.report import reliability
from kdlib.plots.style import Picture


def calibrations(results: Mapping[str, Mapping[str, Any]], *, alt: str) -> Picture:
    """`reliability` of models that have just been measured.

    results: {a model's name in the report: its `evaluate.summarise`}. The report's own words hold
    the errors to three digits, which another processor changes; here they are the author's.
    """
    picture = reliability(
        {name: result["calibration"] for name, result in results.items()},
        {name: result["ece"] for name, result in results.items()},
    )
    picture.alt = alt
    return picture
