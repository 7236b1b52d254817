"""Every chapter and one page of each other kind, in light and in dark, before axe-core."""

import contents
import pytest
from look import AXE

pytestmark = pytest.mark.slow

SERIOUS = ("serious", "critical")
PAGES = [
    *(f"{source.stem}.html" for source in contents.sources()),
    "index.html",
    "glossary.html",
    "notation.html",
    "misconceptions.html",
    "exercises.html",
    "api/losses.html",
    "search.html",
]
RUN = "() => axe.run({resultTypes: ['violations']})"


@pytest.mark.parametrize("path", PAGES)
def test_no_serious_finding(look, vendor, path):
    """In light and in dark; the page is opened, and its formulas drawn, once."""
    page = look(path)
    page.run(vendor(AXE).read_text("utf-8"))
    found = {"light": serious(page)}
    page.darken()
    found["dark"] = serious(page)
    assert found == {"light": [], "dark": []}


def serious(page):
    return [
        (finding["id"], finding["nodes"][0]["html"][:120], len(finding["nodes"]))
        for finding in page.run(RUN)["violations"]
        if finding["impact"] in SERIOUS
    ]


def test_axe_sees_a_fault(look, vendor):
    """Without this, a run that looks at nothing would be green."""
    page = look("index.html")
    page.run("() => document.querySelector('article').insertAdjacentHTML('beforeend', '<img>')")
    page.run(vendor(AXE).read_text("utf-8"))
    assert "image-alt" in [finding["id"] for finding in page.run(RUN)["violations"]]


def test_dark_is_dark(look):
    """Without this, both looks might be at the same colours."""
    page = look("index.html")
    colour = "() => getComputedStyle(document.body).backgroundColor"
    light = page.run(colour)
    page.darken()
    assert page.run(colour) != light
