"""The example of a report: what the default run wrote once, and its page made anew from that.

`example/` holds `report.json` and `metrics.jsonl` of one `kdlib distill pocket`. README.md quotes its
table, and the first page draws its numbers.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

from kdlib.reports.naming import named
from kdlib.reports.page import render_html

FOLDER = Path(__file__).with_name("example")
NAME = "example/report.html"  # in the website


@functools.cache
def report() -> dict[str, Any]:
    """The report as the run wrote it."""
    return json.loads((FOLDER / "report.json").read_text("utf-8"))


def page() -> str:
    """The report's page, as today's templates make it."""
    lines = (FOLDER / "metrics.jsonl").read_text("utf-8").splitlines()
    return named(report(), render_html(report(), [*map(json.loads, lines)]))
