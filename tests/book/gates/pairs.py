"""A notebook is what its source gives, and has run once from top to bottom."""

import build

from gates.chapter import Chapter


def faults(chapter: Chapter) -> list[str]:
    return [fault for fault in build.faults(chapter.source) if not _is_about_order(fault)]


def order_faults(chapter: Chapter) -> list[str]:
    return [fault for fault in build.faults(chapter.source) if _is_about_order(fault)]


def _is_about_order(fault: str) -> bool:
    return ": code cell " in fault
