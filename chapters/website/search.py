"""What the search page knows: every section and glossary entry with its words, symbols among them.

Sphinx's own index names pages, and a page here may be forty screens long. This one is written beside
it, with the same words and stems, and static/search.js looks things up in it.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from docutils import nodes

from kdlib.exercises.kinds.formula_reader import SPELLINGS

DATA = "search-sections.js"  # in the folder of static files
SCRIPTS = (DATA, "search.js")
BEGINNING = 180  # characters of a section that are shown with it
CHAPTER = re.compile(r"\d\d_\w+")
# How much a hit counts on a page: what explains comes before collections, these before a glossary.
WEIGHTS = {"chapter": 1.0, "page": 0.9, "collection": 0.8, "glossary": 0.4, "api": 0.5}
COLLECTIONS = ("12_claims", "13_the_bug_museum")
# What a letter or a formula is called in the index, where \w+ would see nothing or too little.
BARS = r"(?:\\?\|\|?|‖|∥|\\Vert|\\parallel)"
SYMBOLS = [
    [rf"KL\}}?\(P(?:\\,|\s)*{BARS}(?:\\,|\s)*Q\)", "klpq"],
    [rf"KL\}}?\(Q(?:\\,|\s)*{BARS}(?:\\,|\s)*P\)", "klqp"],
    [r"\bD(?:['′’]|\^\\prime)", "dprime"],
    *([letter, name.strip()] for letter, name in SPELLINGS.items() if letter.isalpha()),
]


@dataclass
class Entry:
    """A section or a term: where it is, what it is called, what it says."""

    page: str
    anchor: str
    title: str
    parts: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.parts).split())

    @property
    def kind(self) -> str:
        if self.page.startswith("api/"):
            return "api"
        if self.page in COLLECTIONS:
            return "collection"
        if self.page == "glossary":
            return "glossary"
        return "chapter" if CHAPTER.fullmatch(self.page) else "page"


def collect(app, page, template, context, doctree) -> None:
    """html-page-context: keep the entries of a page; and give the search page its scripts."""
    if doctree is not None:
        found = app.env.__dict__.setdefault("book_entries", {})
        found[page] = list(entries(page, doctree))
    if page == "search":
        for name in SCRIPTS:
            app.add_js_file(name, loading_method="defer")


def write(app, error) -> None:
    """build-finished: write the index."""
    if error is None:
        found = [e for page in app.env.book_entries.values() for e in page]
        data = json.dumps(index(found, app.builder.indexer.lang), ensure_ascii=False)
        path = Path(app.outdir) / "_static" / DATA
        path.write_text(f'"use strict";\n\nglobalThis.BookSections = {data};\n', "utf-8")


def entries(page: str, doctree: nodes.document) -> Iterator[Entry]:
    """One for each section and glossary term, with its own text and not that of those within it."""
    found: dict[int, Entry] = {}
    top = ""
    for node in doctree.findall(
        lambda n: isinstance(n, nodes.section | nodes.definition_list_item)
    ):
        title = node.next_node(nodes.title if isinstance(node, nodes.section) else nodes.term)
        ids = node["ids"] or (title["ids"] if title is not None else [])
        if title is None or not ids:
            continue
        name = title.astext()
        anchor = ids[0] if top else ""  # the first is the page itself
        found[id(node)] = Entry(page, anchor, f"{top} > {name}" if top else name)
        top = top or name
    for text in doctree.findall(nodes.Text):
        holder = _holder(text, found)
        if holder is not None and not _is_unread(text):
            holder.parts.append(_plain(text))
    yield from found.values()


def _holder(node: nodes.Node, found: dict[int, Entry]) -> Entry | None:
    while node is not None and id(node) not in found:
        node = node.parent
    return None if node is None else found[id(node)]


def _is_unread(text: nodes.Text) -> bool:
    """Titles, which are indexed by themselves, comments and what a cell has printed."""
    node = text.parent
    while node is not None:
        if isinstance(node, nodes.title | nodes.term | nodes.comment):
            return True
        if isinstance(node, nodes.container) and node.get("nb_element") == "cell_code_output":
            return True
        node = node.parent
    return False


def _plain(text: nodes.Text) -> str:
    if isinstance(text.parent, nodes.raw):
        return re.sub(r"<(script|style).*?</\1>|<[^>]*>", " ", text.astext(), flags=re.DOTALL)
    return text.astext()


def index(found: list[Entry], language) -> dict:
    """words: {stem: [number of an entry, how often, ...]}; what stands in a title counts as four."""
    words: dict[str, list[int]] = defaultdict(list)
    for number, entry in enumerate(found):
        name = entry.title.rpartition(" > ")[2]
        counts = Counter(stems(entry.text, language))
        for word in stems(name, language):
            counts[word] += 4
        for word, count in counts.items():
            words[word] += [number, min(count, 99)]
    return {
        "symbols": SYMBOLS,
        "entries": [
            [e.page, e.anchor, e.title, WEIGHTS[e.kind], _beginning(e.text)] for e in found
        ],
        "words": words,
    }


def stems(text: str, language) -> Iterator[str]:
    """The words of a text as Sphinx keeps them, and the names of its symbols."""
    for word in language.split(text):
        if language.word_filter(word.lower()):
            yield language.stem(word)
    for symbol, name in SYMBOLS:
        for _ in re.finditer(symbol, text):
            yield language.stem(name)


def _beginning(text: str) -> str:
    return text if len(text) <= BEGINNING else text[:BEGINNING].rpartition(" ")[0] + " …"
