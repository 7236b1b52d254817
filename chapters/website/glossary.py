"""The glossary: its page, with links to the chapters, and links to its terms from the chapters."""

from __future__ import annotations

import re
from pathlib import Path

from website.links import PROTECTED, Links

TEXT = Path(__file__).with_name("glossary.md")
TERM = re.compile(r"^(\w.*)$", re.MULTILINE)
DEFINITION = re.compile(r"(?:^  .*\n)+", re.MULTILINE)
# They stand in every paragraph, or are words of everyday language besides.
EVERYWHERE = {"alignment", "control", "F1 to F8", "label", "lambda", "mask", "student", "teacher"}


def page(links: Links) -> str:
    """The page as Markdown: the definitions, which stand in a block of their own, with links."""
    return DEFINITION.sub(lambda found: links.linked(found[0]), TEXT.read_text("utf-8"))


def terms() -> list[str]:
    """What has an entry, the longest first, as "forward KL" is meant where it stands."""
    block = TEXT.read_text("utf-8").partition("```{glossary}")[2]
    return sorted(TERM.findall(block.partition("```")[0]), key=len, reverse=True)


class FirstMentions:
    """Links each term where a page has it first."""

    def __init__(self) -> None:
        self.left = {term.casefold(): term for term in terms() if term not in EVERYWHERE}

    def linked(self, text: str) -> str:
        """Markdown with links; code, formulas, headings, links and HTML are left as they are."""
        blocks = re.split(r"(\n{2,})", text)
        return "".join(
            block if block.startswith(("<", ":")) else self._block(block) for block in blocks
        )

    def _block(self, block: str) -> str:
        pieces = PROTECTED.split(block)
        for place in range(0, len(pieces), 2):
            if self.left:
                pieces[place] = self._pattern().sub(self._link, pieces[place])
        return "".join(pieces)

    def _pattern(self) -> re.Pattern[str]:
        words = (r"\s+".join(map(re.escape, term.split())) for term in self.left.values())
        return re.compile(rf"(?<![\w-])({'|'.join(words)})(?![\w-])", re.IGNORECASE)

    def _link(self, found: re.Match[str]) -> str:
        shown = " ".join(found[1].split())
        term = self.left.pop(shown.casefold(), None)
        return f"{{term}}`{shown} <{term}>`" if term else found[0]
