"""What was read of a text, and what was left out and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from kdlib.data.copies import NearCopy

NAMED = 3  # near-copies that are named; the others are counted


@dataclass(frozen=True)
class TextFacts:
    """What was read of a text, and what was left out and why.

    Attributes:
        documents: read, in all splits together.
        characters: of these documents.
        left_out: files in the folders that are no documents, how many by reason.
        duplicates: documents that were the same text as another one.
        near_copies: training documents that were nearly the text of a held-out one.
        kind: what a document is called: "document", or "record".
    """

    documents: int
    characters: int
    left_out: Mapping[str, int] = field(default_factory=dict)
    duplicates: int = 0
    near_copies: tuple[NearCopy, ...] = ()
    kind: str = "document"

    def lines(self) -> list[str]:
        """The facts in sentences, one a line; nothing of what did not happen."""
        lines = [f"{_count(self.documents, self.kind)} of {self.characters:,} characters"]
        if self.left_out:
            lines.append(f"left out: {said_left_out(self.left_out)}")
        if self.duplicates:
            lines.append(
                f"{_count(self.duplicates, 'exact duplicate')} dropped; one of each text is kept"
            )
        if self.near_copies:
            lines.append(
                f"{_count(len(self.near_copies), 'training document')} dropped, nearly the text of"
                f" a held-out one: {said_near_copies(self.near_copies)}"
            )
        return lines


def said_left_out(left_out: Mapping[str, int]) -> str:
    """Numbers of files and their reasons, the most frequent first.

    Args:
        left_out: number of files by reason.
    """
    order = sorted(left_out.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{count:,} ({reason})" for reason, count in order)


def said_near_copies(copies: tuple[NearCopy, ...]) -> str:
    """The first near-copies by name.

    Args:
        copies: some near-copies.
    """
    named = ", ".join(f"{copy.document} of {copy.of} ({copy.share:.0%})" for copy in copies[:NAMED])
    more = len(copies) - NAMED
    return named + (f", and {more:,} more" if more > 0 else "")


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
