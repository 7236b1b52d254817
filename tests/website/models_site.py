"""The panel of the three models on a page of its own, with its weights, before Sphinx is run."""

import contextlib
import shutil
from pathlib import Path

import website
from website import models_files, models_page

STATIC = Path(website.__file__).with_name("static") / "models"
THEME = """html {
  --pst-color-primary: #0a5ea8; --pst-color-primary-text: #fff; --pst-color-text-base: #222;
  --pst-color-text-muted: #4a4f57; --pst-color-border: #ccc; --pst-color-background: #fff;
}
.visually-hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; }"""
LOADED = "() => document.querySelector('#models-form:not([hidden])') && !document.querySelector('[aria-busy]')"


def write(folder):
    """A website of one page; returns its path."""
    shutil.copytree(STATIC, folder / "_static" / "models")
    models_files.write(folder / "_static" / "models" / "weights")
    path = folder / "models.html"
    path.write_text(
        f'<!doctype html><html lang="en"><title>Models</title><meta charset="utf-8">'
        f'<link rel="stylesheet" href="_static/models/models.css"><style>{THEME}</style>'
        f"<main><h1>Models</h1>{models_page.panel()}</main></html>",
        "utf-8",
    )
    return path


@contextlib.contextmanager
def opened(browser, path):
    """The page with its models loaded, and no network."""
    context = browser.new_context(offline=True)
    page = context.new_page()
    page.set_default_timeout(120_000)
    page.goto(path.as_uri())
    load(page)
    yield page
    context.close()


def load(page):
    """Press the button and wait until the first text has been read."""
    page.click("#models-load")
    settle(page)


def settle(page):
    page.wait_for_function(LOADED)


def table(page):
    """{row: [teacher's, student's, control's]} as texts."""
    rows = page.locator("#models-table tbody tr").evaluate_all(
        "rows => rows.map((row) => [...row.children].map((cell) => cell.textContent))"
    )
    return {head: cells for head, *cells in rows}


def number(text):
    """Of a cell: "< 0.1 %" is 0, "–" is None."""
    if text == "–":
        return None
    return 0.0 if text.startswith("<") else float(text.removesuffix("%"))
