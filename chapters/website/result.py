"""The result on the first page: the stored run of the default recipe, as a picture."""

from __future__ import annotations

import html
import re
from typing import Any

from kdlib.plots import svg
from kdlib.reports.pages import figures
from website import example_report


def figure(report: dict[str, Any]) -> str:
    """The picture with its caption, as one element without blank lines."""
    drawn = re.sub(r"\s*\n\s*", " ", svg(figures.comparison(report))).replace("*{", ".result *{", 1)
    share, low, high = (100 * report["gap_closed"][key] for key in ("value", "low", "high"))
    said = html.escape(" ".join(report["verdict"]["sentences"][:2]), quote=False)
    caption = (
        f"What <code>make distill</code> makes on a laptop. The student closes {share:.0f} % "
        f"({low:.0f} to {high:.0f} %) of the gap from the control of equal steps to the teacher. {said} "
        f'<a href="{example_report.NAME}">The whole report</a>'
    )
    return f'<figure class="result">{drawn}<figcaption>{caption}</figcaption></figure>'
