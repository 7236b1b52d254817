"""What a report of records calls things: a control there is supervised fine-tuning (SFT).

Everybody who trains on records knows that name, and asks whether distilling is better than that.
"""

from __future__ import annotations

import re
from typing import Any

_WORDS = (
    ("control, equal", "SFT, equal"),
    ("control,\nequal", "SFT,\nequal"),
    ("control,\npatient", "SFT,\npatient"),
    (
        "A control is the student's twin, trained on the same text",
        "SFT is the student's twin, trained on the same answers",
    ),
    ("learned from the text and", "learned from the answers and"),
    ("counts of the same text", "counts of the same records"),
    ("test documents", "test records"),
    ("validation documents", "validation records"),
    ('<th scope="col">documents</th>', '<th scope="col">records</th>'),
    ("control, patient", "SFT, patient"),
    ("control of equal", "SFT of equal"),
    ("patient control", "patient SFT"),
    ("run has no control", "run has no SFT"),
)
_BLOCKS = re.compile(r"[\d,]+ blocks of ([\d,]+) document")


def of_records(report: dict[str, Any]) -> bool:
    """Whether a report is about records.

    Args:
        report: a run's report, or a part of one with its recipe.
    """
    return bool(report.get("recipe", {}).get("data", {}).get("records"))


def named(report: dict[str, Any], text: str) -> str:
    """A text of a report in the words of its data.

    Args:
        report: a run's report.
        text: of its page, its table or its verdict, as for a text.
    """
    if not of_records(report):
        return text
    for of_text, of_record in _WORDS:
        text = text.replace(of_text, of_record)
    return re.sub(r"(\d) document", r"\1 record", _BLOCKS.sub(r"\1 record", text))
