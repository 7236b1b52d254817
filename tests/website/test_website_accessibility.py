"""One page of each kind, in light and in dark, before axe-core: no serious finding."""

import pytest
from look import AXE

SERIOUS = ("serious", "critical")
LIGHT = [
    "index.html",
    "02_the_objective.html",
    "10_the_bug_museum.html",
    "glossary.html",
    "misconceptions.html",
    "exercises.html",
    "api/mathematics.html",
    "search.html",
]
DARK = ["index.html", "01_teacher_and_student.html", "notation.html"]
RUN = "() => axe.run({resultTypes: ['violations']})"


@pytest.mark.parametrize(
    ("path", "dark"), [(path, False) for path in LIGHT] + [(path, True) for path in DARK]
)
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
