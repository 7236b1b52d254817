"""Every chapter and one page of each other kind, in light and in dark, before axe-core."""

import contents
import pytest
from look import AXE

SERIOUS = ("serious", "critical")
PAGES = [
    *(f"{source.stem}.html" for source in contents.sources()),
    "index.html",
    "glossary.html",
    "notation.html",
    "misconceptions.html",
    "exercises.html",
    "api/mathematics.html",
    "search.html",
]
RUN = "() => axe.run({resultTypes: ['violations']})"


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("path", PAGES)
def test_no_serious_finding(look, vendor, path, dark):
    page = look(path, dark=dark)
    page.run(vendor(AXE).read_text("utf-8"))
    findings = page.run(RUN)["violations"]
    assert [
        (finding["id"], finding["nodes"][0]["html"][:120], len(finding["nodes"]))
        for finding in findings
        if finding["impact"] in SERIOUS
    ] == []


def test_axe_sees_a_fault(look, vendor):
    """Without this, a run that looks at nothing would be green."""
    page = look("index.html")
    page.run("() => document.querySelector('article').insertAdjacentHTML('beforeend', '<img>')")
    page.run(vendor(AXE).read_text("utf-8"))
    assert "image-alt" in [finding["id"] for finding in page.run(RUN)["violations"]]
