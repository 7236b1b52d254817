"""Formulas, drawn when the website is made: a page is readable at once, and without JavaScript.

Sphinx writes a formula into a page as its TeX. After the build every formula is drawn once, in one
run of MathJax in Node, as a picture for the eye and MathML for the ear.
"""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

from docutils import nodes

from website.vendor import Unavailable

SCRIPT = Path(__file__).with_name("formulas.js")
STYLE = "formulas.css"
FORMULA = re.compile(r'(<(span|div) class="math[^"]*"[^>]*>)(.*?)(</\2>)', re.DOTALL)


def setup(app) -> None:
    """As a Sphinx extension: formulas are left in the page, as they were written."""
    app.add_html_math_renderer("tex", (_inline, None), (_display, None))


def _inline(self, node: nodes.math) -> None:
    self.body.append(self.starttag(node, "span", "", CLASS="math"))
    self.body.append(f"{self.encode(node.astext())}</span>")
    raise nodes.SkipNode


def _display(self, node: nodes.math_block) -> None:
    self.body.append(self.starttag(node, "div", "", CLASS="math"))
    self.body.append(f"{self.encode(node.astext())}</div>")
    raise nodes.SkipNode


def draw(website: Path, mathjax: Path) -> None:
    """Draw the formulas of all pages in place, and write the style that they need.

    Args:
        website: the folder of the built pages.
        mathjax: the unpacked npm package.

    Raises:
        Unavailable: without Node.js.
        SystemExit: for a formula that cannot be read.
    """
    pages = {path: path.read_text("utf-8") for path in website.rglob("*.html")}
    wanted = {_task(found) for text in pages.values() for found in FORMULA.finditer(text)}
    tasks = sorted(wanted)
    drawn = _run(mathjax, [{"tex": tex, "display": display} for tex, display in tasks])
    pictures = dict(zip(tasks, drawn["formulas"], strict=True))
    for path, text in pages.items():
        changed = FORMULA.sub(lambda found: f"{found[1]}{pictures[_task(found)]}{found[4]}", text)
        if changed != text:
            path.write_text(changed, "utf-8")
    (website / "_static" / STYLE).write_text(drawn["style"], "utf-8")


def _task(found: re.Match[str]) -> tuple[str, bool]:
    """A formula's TeX, and whether it stands by itself."""
    return html.unescape(found[3]).strip(), found[2] == "div"


def _run(mathjax: Path, tasks: list[dict[str, object]]) -> dict:
    node = shutil.which("node")
    if node is None:
        raise Unavailable(
            "Node.js draws the formulas, and is not installed. Install it, then again."
        )
    command = [node, str(SCRIPT), str(mathjax)]
    done = subprocess.run(command, input=json.dumps(tasks), capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"a formula cannot be drawn: {done.stderr.strip()}")
    return json.loads(done.stdout)
