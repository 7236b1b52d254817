"""The table of verdicts on the first page: what papers say, and what came of it here."""

from __future__ import annotations

from kdlib.claims.claim import Claim
from kdlib.claims.record import shipped
from kdlib.claims.registry import claims

HEAD = "| what is claimed | source | here | by |\n|---|---|---|---|"


def table() -> str:
    """Every claim that has been tried, as Markdown, in alphabetical order of the names."""
    rows = [_row(claim) for claim in claims().values() if shipped(claim.name)]
    return "\n".join([HEAD, *rows])


def _row(claim: Claim) -> str:
    record = shipped(claim.name)
    assert record is not None
    rule = claim.rule[0]
    decides = f"{rule}: {rule.interval(record['numbers'])}".replace("|", "\\|")
    return f"| {claim.sentence} | {_authors(claim)} {claim.source.year} | **{record['verdict']}** | {decides} |"


def _authors(claim: Claim) -> str:
    """The first author, with "et al." where there are more than two."""
    first = claim.source.paper.partition(",")[0]
    return first if " " in first else f"{first} et al."
