"""Make the website of the book out of the chapters as they have been run.

    python chapters/book.py           build/book/index.html: opens from the folder, needs no network
    python chapters/book.py --pdf     build/book.pdf as well, through Chromium

Nothing is executed: the pages show the outputs that the notebooks hold. Besides the chapters there
are pages made of data: the misconceptions and exercises of kdlib.exercises, the docstrings of the
package, the notation of chapter 0. They are written to build/, never beside the chapters.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from pathlib import Path

from sphinx.cmd.build import build_main
from website import formulas
from website.assemble import PROJECT, assemble
from website.head import drop_scripts
from website.paper import pdf
from website.vendor import MATHJAX, Unavailable

BUILD = PROJECT / "build"


def make(build: Path = BUILD, vendor: Path = BUILD / "vendor") -> Path:
    """The website's folder, made anew. A warning is an error."""
    source, target = build / "book-source", build / "book"
    mathjax = MATHJAX.file(vendor)
    assemble(source)
    shutil.rmtree(target, ignore_errors=True)  # no page stays behind that has lost its source
    doctrees = build / "book-doctrees"
    options = ["-q", "-E", "-W", "--keep-going", "-b", "html", "-d", str(doctrees)]
    if build_main([*options, str(source), str(target)]) != 0:
        raise SystemExit("the pages have faults; see the lines above")
    drop_scripts(target)
    formulas.draw(target, mathjax)
    return target


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="book.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pdf", action="store_true", help="print the whole book into a PDF too")
    options = parser.parse_args(arguments)
    started = time.monotonic()
    try:
        website = make()
        print(f"{website / 'index.html'} ({time.monotonic() - started:.0f} s)")
        if options.pdf:
            print(pdf(website, BUILD / "book.pdf"))
    except Unavailable as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
