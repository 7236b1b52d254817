"""A chapter's own cell in a notebook: the figure works where scripts run; else there is its picture."""

import json
import subprocess
import sys

import contents
import nbformat
import pytest
import stored_explorables
from bs4 import BeautifulSoup
from explorable_page import Figure
from look import Page
from nbconvert import HTMLExporter

from kdlib.plots import explorable

SHOWN = [
    (name, source)
    for source in contents.sources()
    for name in stored_explorables.SHOWN.findall(source.read_text("utf-8"))
]


def test_what_is_stored_is_what_the_scripts_give():
    """Otherwise: python chapters/stored_explorables.py, and build the chapters that show them."""
    assert stored_explorables.stale() == []
    for name in stored_explorables.names():
        # The picture may differ in a hair on another machine; its words may not.
        assert explorable(name).alt == stored_explorables.EXPLORABLES[name].still().alt


def test_the_check_is_a_command():
    command = [sys.executable, contents.CHAPTERS / "stored_explorables.py", "--check"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "all are what the scripts give\n")


@pytest.mark.parametrize(("name", "source"), SHOWN)
def test_the_chapters_output_is_what_is_stored(name, source):
    notebook = json.loads(source.with_suffix(".ipynb").read_text("utf-8"))
    cells = ["".join(cell["source"]) for cell in notebook["cells"]]
    (output,) = notebook["cells"][cells.index(f'explorable("{name}")')]["outputs"]
    shown = explorable(name)._repr_mimebundle_()
    assert {kind: "".join(text) for kind, text in output["data"].items()} == shown


def stripped(page):
    """Without what hosts and untrusted notebooks take out of an output: frames, scripts, handlers."""
    soup = BeautifulSoup(page, "html.parser")
    for part in soup.select("iframe, script"):
        part.decompose()
    for part in soup.select("[onload]"):
        del part["onload"]
    return str(soup)


@pytest.fixture(scope="module")
def notebooks(tmp_path_factory):
    """Every figure as the only cell of a notebook, converted by nbconvert; plain and as hosts show it."""
    folder = tmp_path_factory.mktemp("notebooks")
    for name in stored_explorables.names():
        output = nbformat.v4.new_output("display_data", explorable(name)._repr_mimebundle_())
        cell = nbformat.v4.new_code_cell(f'explorable("{name}")', outputs=[output])
        notebook = nbformat.v4.new_notebook(cells=[cell])
        exporter = HTMLExporter(mathjax_url="", require_js_url="", jquery_url="", mermaid_js_url="")
        text = exporter.from_notebook_node(notebook)[0]
        (folder / f"{name}.html").write_text(text, "utf-8")
        (folder / f"{name}-stripped.html").write_text(stripped(text), "utf-8")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("name", stored_explorables.names())
def test_in_a_notebook_it_is_dragged_and_obeys_the_keys(browser, notebooks, name):
    context = browser.new_context(viewport={"width": 900, "height": 900})
    opened = Page(context, notebooks, f"{name}.html")
    assert not opened.page.locator(".explorable-frame > img").is_visible()
    figure = Figure(opened, name, opened.page.frame_locator("iframe"))
    label = figure.part.locator("[role=slider]").first.get_attribute("aria-label")
    before = figure.state
    figure.keys(label, "ArrowRight")
    after = figure.state
    figure.drag(label, 60, 0)
    assert len({json.dumps(state) for state in (before, after, figure.state)}) == 3
    # It has all the height that it needs, and no more width than there is.
    inner = opened.page.frames[-1]
    sizes = inner.evaluate("""() => [document.body.offsetHeight, innerHeight,
        document.documentElement.scrollWidth, innerWidth]""")
    assert sizes[0] <= sizes[1] <= sizes[0] + 20 and sizes[2] <= sizes[3]
    assert opened.asked == []
    context.close()


@pytest.mark.slow
def test_it_takes_on_the_colours_around_it(browser, notebooks):
    """A notebook's theme is not always the system's; and it may change."""
    context = browser.new_context(color_scheme="light")
    opened = Page(context, notebooks, "lambda_map.html")
    inner = opened.page.frames[-1]
    assert inner.evaluate("() => document.documentElement.dataset.theme") == "light"
    opened.run("() => { document.body.style.setProperty('color', '#eee', 'important'); "
               "document.querySelector('.explorable-frame').style.color = '#eee'; "
               "document.body.dataset.jpThemeLight = 'false'; }")  # fmt: skip
    inner.wait_for_function("() => document.documentElement.dataset.theme === 'dark'")
    context.close()


@pytest.mark.slow
@pytest.mark.parametrize("name", stored_explorables.names())
def test_without_scripts_and_where_they_are_taken_out_there_is_the_picture(
    browser, notebooks, name
):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    for kind in ("", "-stripped"):
        page.goto(f"{notebooks.as_uri()}/{name}{kind}.html")
        image = page.locator("img").first
        assert image.is_visible() and image.bounding_box()["width"] > 300
        assert not page.locator("iframe:visible").count()
    context.close()
