"""The tables of verdicts, in the README and on the first page of the website, say what records say."""

import re
from pathlib import Path

from website import verdicts

from kdlib.claims.record import shipped
from kdlib.claims.registry import claims

README = Path(__file__).parents[2] / "README.md"
ROW = re.compile(r"^\| `([\w-]+)` \| (.+) \| \*\*(\w+)\*\* \|$", re.MULTILINE)


def test_the_readme_has_six_and_each_is_the_records():
    rows = ROW.findall(README.read_text("utf-8"))
    assert len(rows) == 6
    for name, _, verdict in rows:
        assert verdict == shipped(name)["verdict"], name
    assert {"reproduced", "opposite"} <= {verdict for *_, verdict in rows}


def test_the_website_has_all_that_were_tried():
    rows = verdicts.table().splitlines()[2:]
    tried = [claim for claim in claims().values() if shipped(claim.name)]
    assert len(rows) == len(tried)
    for row, claim in zip(rows, tried, strict=True):
        assert row.startswith(f"| {claim.sentence} |")
        assert f"| **{shipped(claim.name)['verdict']}** |" in row
        assert row.count(" | ") == 3
