"""The result on the first page: the README's table of the default run, as a picture.

The table and the sentences after it are what `kdlib distill pocket` printed. They stand in the
README and nowhere else.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass

from kdlib.plots import LOOKS, cross_entropy_comparison, svg

ROW = "cross-entropy, nats/token"
CLOSED = re.compile(r"The student closes (\d+\.\d) % \(([\d.]+) to ([\d.]+) %\) of the gap")
AFTER = re.compile(r"\n\n(The teacher was[^\n]+)\n(This holds for[^\n]+)\n")


@dataclass(frozen=True)
class Result:
    """What the default run printed.

    Attributes:
        cross_entropy: of each model, by its name in `LOOKS`, in nats per token.
        closed: the share of the gap that the student closes, and the ends of its interval.
        verdict: what the run says of the teacher.
        holds: for how many trainings, blocks and documents that holds.
    """

    cross_entropy: dict[str, float]
    closed: tuple[float, float, float]
    verdict: str
    holds: str


def result(readme: str) -> Result:
    """Read the README's table.

    Raises:
        LookupError: where it is not as the command prints it.
    """
    block = next((part for part in readme.split("```") if f"\n{ROW} " in part), "")
    closed, after = CLOSED.search(block), AFTER.search(block)
    if not block or not closed or not after:
        raise LookupError(f"README.md has no table with {ROW!r} and the sentences that follow it")
    share, low, high = (float(number) / 100 for number in closed.groups())
    return Result(_row(block), (share, low, high), after[1], after[2])


def _row(block: str) -> dict[str, float]:
    """The cross-entropies; a column's name is what ends above the end of its number."""
    head, _, rest = block.partition(f"\n{ROW} ")
    line = f"{ROW} {rest.splitlines()[0]}"
    found = {}
    for number in re.finditer(r"\d+\.\d+", line):
        words = [
            word[0]
            for row in head.splitlines()
            for word in re.finditer(r"\S+", row)
            if word.end() == number.end()
        ]
        found[_known(" ".join(words))] = float(number[0])
    return found


def _known(words: str) -> str:
    """The model with this label, whose comma a column of the table has no room for."""
    for name, look in LOOKS.items():
        if look.label.replace(",", "") == words:
            return name
    raise LookupError(f"README.md's table has a column {words!r}, which is no model of a run")


def figure(readme: str) -> str:
    """The picture with its caption, as one element without blank lines."""
    run = result(readme)
    share, low, high = (100 * part for part in run.closed)
    drawn = re.sub(
        r"\s*\n\s*", " ", svg(cross_entropy_comparison(run.cross_entropy, run.closed[0]))
    )
    said = html.escape(f"{run.verdict} {run.holds}", quote=False)
    caption = (
        f"What <code>make distill</code> makes on a laptop. The student closes {share:.0f} % "
        f"({low:.0f} to {high:.0f} %) of the gap from the control of equal steps to the teacher. {said}"
    )
    return (
        f'<figure class="result">{drawn.replace("*{", ".result *{", 1)}'
        f"<figcaption>{caption}</figcaption></figure>"
    )
