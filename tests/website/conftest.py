"""The website, built once for all tests, and a real browser to look at it with.

Without a browser, or without npm for the file that draws formulas, these tests are skipped and say
why. Where CI is set, nothing is skipped: there a missing browser is a fault.
"""

import os
import shutil
import sys
import warnings
from pathlib import Path

import pytest
from filelock import FileLock

sys.path.insert(0, str(Path(__file__).parents[2] / "chapters"))

import book
import explorable_page
from explorable_page import Figure
from look import Page
from website.browser import MISSING, chromium, switches
from website.vendor import Unavailable

VENDOR = book.BUILD / "vendor"


def cannot(reason):
    """Skip, or fail where everything must be there."""
    (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)


@pytest.fixture(scope="session")
def vendor():
    """Fetches a file of an npm package, or says why the tests that need it cannot run."""

    def file(vendored):
        try:
            return vendored.file(VENDOR)
        except Unavailable as error:
            cannot(str(error))

    return file


@pytest.fixture(scope="session")
def website(tmp_path_factory, worker_id, vendor):
    """The built pages; two test processes share them."""
    vendor(book.MATHJAX)
    base = tmp_path_factory.getbasetemp()
    shared = (base if worker_id == "master" else base.parent) / "website"
    with FileLock(f"{shared}.lock"):
        if not (shared / "done").exists():
            shutil.rmtree(shared, ignore_errors=True)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # what Sphinx's extensions will have to change
                book.make(shared, VENDOR)
            (shared / "done").touch()
    return shared / "book"


@pytest.fixture(scope="session")
def pages(website):
    """The paths of all pages of the book, from the website's folder; the example report is a run's."""
    found = [path.relative_to(website) for path in website.rglob("*.html")]
    return sorted(str(path) for path in found if path.parts[0] not in ("_static", "example"))


@pytest.fixture(scope="module")  # not longer: its event loop would stand in the way of notebooks
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    program = chromium()
    if program is None:
        cannot(MISSING)
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=program, args=switches())
        yield opened
        opened.close()


@pytest.fixture
def look(browser, website):
    """look("index.html", dark=True, width=390) opens a page and keeps watch over it."""
    contexts = []

    def opened(path, dark=False, width=1280):
        scheme = "dark" if dark else "light"
        context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 900})
        contexts.append(context)
        return Page(context, website, path)

    yield opened
    for context in contexts:
        context.close()


@pytest.fixture(scope="module")
def explorables(tmp_path_factory):
    """The folder with every explorable on a page of its own."""
    folder = tmp_path_factory.mktemp("alone")
    explorable_page.write(folder)
    return folder


@pytest.fixture
def alone(browser, explorables):
    """alone("simplex") opens it; whatever happens, it neither complains nor asks for anything."""
    context = browser.new_context(viewport={"width": 1000, "height": 900})
    opened = []

    def figure(name):
        opened.append(Page(context, explorables, f"{name}.html"))
        return Figure(opened[-1], name)

    yield figure
    context.close()
    assert [page.complaints + page.asked for page in opened] == [[]] * len(opened)
