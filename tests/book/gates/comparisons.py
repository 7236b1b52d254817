"""At most one code cell in ten keeps its outputs from being compared."""

from nbval.plugin import find_comment_markers, find_metadata_tags

from gates.chapter import Chapter

ONE_IN = 10


def faults(chapter: Chapter) -> list[str]:
    hidden = [cell for cell in chapter.code if _is_marked(cell)]
    if ONE_IN * len(hidden) <= len(chapter.code):
        return []
    cells = ", ".join(str(chapter.code.index(cell) + 1) for cell in hidden)
    return [f"{len(hidden)} of {len(chapter.code)} code cells are not compared: {cells}"]


def _is_marked(cell) -> bool:
    """nbval itself says what turns it away; asking it to check is no way to hide."""
    options = dict(find_metadata_tags(cell.metadata)) | dict(find_comment_markers(cell.source))
    return options.get("check") is False or "skip" in options or "check_exception" in options
