"""A chapter runs within its budget: what its last build took is on record."""

import contents

from gates.chapter import Chapter


def faults(chapter: Chapter) -> list[str]:
    seconds = contents.read_seconds(chapter.source.parent).get(chapter.source.stem)
    if seconds is None:
        return ["no build of it was timed"]
    budget = contents.budget(chapter.source)
    return [f"takes {seconds} s; its budget is {budget} s"] if seconds > budget else []
