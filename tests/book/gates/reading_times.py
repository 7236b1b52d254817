"""The time that a chapter's opening names is what the rule of chapters/reading_time.py gives."""

import re

import reading_time

from gates.chapter import Chapter

HELD = range(0, 14)  # the chapters that are held to it
LINE = re.compile(r"\*\*Time\*\*: about (?:(\d+) h)?\s?(?:(\d+) min)?( with the exercises)?\.")


def faults(chapter: Chapter) -> list[str]:
    if chapter.number not in HELD:
        return []
    opening = "\n\n".join(c.source for c in chapter.sections[0] if c.cell_type == "markdown")
    said = LINE.search(" ".join(opening.split()))
    wanted = reading_time.line(chapter.source)
    if said is None or bool(said[3]) != ("exercises" in wanted):
        return [f"its opening does not say: {wanted}"]
    minutes = 60 * int(said[1] or 0) + int(said[2] or 0)
    # An edit that moves the sum across the middle of two steps makes no line wrong.
    is_near = abs(minutes - reading_time.minutes(chapter.source)) <= reading_time.ROUNDED_TO
    return [] if is_near and minutes % 10 == 0 else [f"says {said[0]!r}; the rule gives: {wanted}"]
