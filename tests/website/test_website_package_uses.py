"""Which chapter uses what of the package, and where its source is read."""

import inspect

import pytest
from website import source_links, used_in
from website.source_links import resolve

import kdlib
from kdlib.losses.divergences import forward_kl


@pytest.fixture
def chapter(tmp_path):
    """chapter("import ...") is the path of a source with this text."""

    def written(text):
        path = tmp_path / "99_made_up.py"
        path.write_text(f"# %%\n{text}\n")
        return path

    return written


FORWARD = "kdlib.losses.divergences.forward_kl"


@pytest.mark.parametrize(
    "text",
    [
        "from kdlib import forward_kl",
        "from kdlib import forward_kl as kl",
        "from kdlib.losses.divergences import forward_kl",
        "from kdlib.losses import divergences\ndivergences.forward_kl",
        "import kdlib\nkdlib.forward_kl(p, q)",
        "import kdlib.losses.divergences\nkdlib.losses.divergences.forward_kl(p, q)",
        "import kdlib.losses.divergences as d\nd.forward_kl(p, q)",
        "def f():\n    from kdlib import forward_kl",
    ],
)
def test_however_it_is_imported_it_is_the_same(chapter, text):
    assert FORWARD in used_in.uses(chapter(text))


@pytest.mark.parametrize(
    "text",
    [
        "forward_kl = 1",
        "import torch\ntorch.forward_kl",
        "from kdlib.losses import divergences",  # nothing is taken from it
        "# from kdlib import forward_kl",
        "from kdlib import reverse_kl",
    ],
)
def test_what_is_not_imported_is_not_used(chapter, text):
    assert FORWARD not in used_in.uses(chapter(text))


def test_the_field_links_to_the_chapters_in_their_order(monkeypatch):
    found = {FORWARD: ["01_one", "04_four"], "kdlib.losses.divergences.entropy": ["04_four"]}
    monkeypatch.setattr(used_in, "_all", lambda: found)

    def field(thing):
        lines = ["What it is."]
        used_in.add_chapters(None, "function", "", thing, None, lines)
        return lines[1:]

    assert field(forward_kl) == [
        "",
        ":Used in: chapters :doc:`1 </01_one>`, :doc:`4 </04_four>`",
        "",
    ]
    assert field(kdlib.entropy) == ["", ":Used in: chapter :doc:`4 </04_four>`", ""]
    assert field(kdlib.reverse_kl) == []


def test_without_a_public_copy_there_is_no_link_to_the_source(monkeypatch):
    monkeypatch.setattr(source_links, "public_copy", lambda: None)
    assert resolve("py", {"module": "kdlib.losses.divergences", "fullname": "forward_kl"}) is None


def test_a_link_leads_to_the_lines_of_the_source(monkeypatch):
    monkeypatch.setattr(source_links, "public_copy", lambda: "me/mine")
    link = resolve("py", {"module": "kdlib.losses.divergences", "fullname": "forward_kl"})
    start, _, lines = link.partition("#")
    assert start == "https://github.com/me/mine/blob/HEAD/kdlib/losses/divergences.py"
    first, last = (int(line.removeprefix("L")) for line in lines.split("-"))
    source = inspect.getsource(inspect.getmodule(forward_kl)).splitlines()[first - 1 : last]
    assert "\n".join(source) == inspect.getsource(forward_kl).rstrip()
    method = {"module": "kdlib.losses.objectives", "fullname": "Objective.from_lambda"}
    assert "#L" in resolve("py", method)


@pytest.mark.parametrize("fullname", ["nothing", "DIVERGENCES", "forward_kl.nothing"])
def test_what_has_no_source_has_no_link(monkeypatch, fullname):
    monkeypatch.setattr(source_links, "public_copy", lambda: "me/mine")
    assert resolve("py", {"module": "kdlib.losses.divergences", "fullname": fullname}) is None
    assert resolve("c", {"module": "kdlib", "fullname": "x"}) is None


@pytest.mark.slow
def test_the_page_of_a_room_says_where_its_functions_are_used(look):
    page = look("api/losses.html").page
    entry = page.locator(
        "dl.py", has=page.locator("[id='kdlib.losses.divergences.reverse_kl']")
    ).last
    row = entry.locator("dt", has_text="Used in").locator("xpath=following-sibling::dd[1]")
    links = row.locator("a").evaluate_all("links => links.map((link) => link.getAttribute('href'))")
    assert "../04_kl_divergence.html" in links and len(links) == len(set(links))
