"""Take over a finished run of the default recipe: README.md quotes it, and the website shows it.

    python chapters/default_run.py runs/pocket

Its report becomes the website's example, its table and the words of its picture those of README.md.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import re
import shutil
from pathlib import Path
from typing import Any

from contents import CHAPTERS
from website import example_report

from kdlib.files import write_atomically
from kdlib.jobs.recipe_files import load_recipe
from kdlib.plots.style import in_style
from kdlib.reports.fields import validate
from kdlib.reports.page import terminal_table
from kdlib.reports.pages import figures

README = CHAPTERS.parent / "README.md"
PICTURE = CHAPTERS.parent / ".github" / "picture.png"
TABLE = re.compile(r"(?<=\n```\n) +teacher .*?(?=\n\nReport: )", re.DOTALL)
WORDS = re.compile(r'(?<=picture\.png" width="520" alt=")[^"]*')
DOTS = 180  # per inch
FILES = ("report.json", "metrics.jsonl")


def take_over(run: Path) -> None:
    """Store the run's report, and write README.md and its picture by it."""
    if missing := [name for name in FILES if not (run / name).is_file()]:
        raise SystemExit(f"{run} has no {missing[0]}; give the folder of a finished run")
    report = json.loads((run / "report.json").read_text("utf-8"))
    validate(report)
    if report["recipe"] != dataclasses.asdict(load_recipe("pocket")):
        raise SystemExit(f"{run} is no run of the recipe pocket as it is now")
    readme = quoting(README.read_text("utf-8"), report)
    for name in FILES:
        shutil.copy(run / name, example_report.FOLDER)
    with in_style():
        figures.comparison(report).savefig(PICTURE, dpi=DOTS)
    write_atomically(README, readme)


def quoting(readme: str, report: dict[str, Any]) -> str:
    """README.md with this run's table, without its speed, which is the machine's; and with its words."""
    lines = terminal_table(report).splitlines()
    table = "\n".join(line.rstrip() for line in lines if not line.startswith("speed,"))
    for pattern, text in ((TABLE, table), (WORDS, figures.comparison(report).alt)):
        readme, times = pattern.subn(lambda _, text=text: text, readme)
        if times != 1:
            raise SystemExit(f"README.md has {times} places for {text[:40].strip()!r}, not one")
    return readme


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path, help="the run's folder")
    take_over(parser.parse_args().run)
