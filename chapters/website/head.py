"""What a page says of itself in its head, and what it does not ask a reader to load."""

from __future__ import annotations

import re
from html import escape
from pathlib import Path

from docutils import nodes

LENGTH = 160  # characters of a description that search engines show
ICONS = re.compile(r"\s*<script[^>]*/fontawesome\.js[^>]*></script>")
INDEX = re.compile(r"\s*<script[^>]*(?:searchtools|language_data|searchindex)\.js[^>]*></script>")


def describe(app, page, template, context, doctree) -> None:
    """html-page-context: a description and what a preview shows, from the page's first paragraph."""
    description = first_words(doctree) if doctree is not None else ""
    title = re.sub(r"<[^>]+>", "", context.get("title", "")) or app.config.project
    said = {"og:title": title, "og:type": "website", "og:site_name": app.config.project}
    if description:
        said |= {"description": description, "og:description": description}
    context["metatags"] = context.get("metatags", "") + "".join(
        f'\n<meta {"property" if ":" in name else "name"}="{name}" content="{escape(text)}">'
        for name, text in said.items()
    )


def first_words(doctree: nodes.document) -> str:
    """The beginning of the first paragraph that is prose, cut at a word."""
    for paragraph in doctree.findall(nodes.paragraph):
        words = " ".join(paragraph.astext().split())
        if len(words) >= 40:
            return words if len(words) <= LENGTH else words[:LENGTH].rpartition(" ")[0] + " …"
    return ""


def drop_scripts(website: Path) -> None:
    """What the theme loads on every page for nothing.

    Its icons are in icons.css; its script for them is one and a half megabytes. The index of words,
    another 0.4, is read by the search page alone.
    """
    for page in website.rglob("*.html"):
        text = ICONS.sub("", page.read_text("utf-8"))
        page.write_text(text if page.name == "search.html" else INDEX.sub("", text), "utf-8")
    for file in (website / "_static" / "scripts").glob("fontawesome.js*"):
        file.unlink()
