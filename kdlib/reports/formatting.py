"""Numbers as text for people: shares, sizes and durations, and plain-text tables."""

from __future__ import annotations

from collections.abc import Callable


def percent(share: float, digits: int = 0) -> str:
    """A share as a percentage: 0.5 is "50 %"."""
    return f"{100 * share:.{digits}f} %"


def short(number: float) -> str:
    """Three significant digits: 999, 12.4 k, 5.24 M."""
    for unit in ("", " k", " M", " G", " T"):
        if number < 999.5:
            return f"{number:.3g}{unit}"
        number /= 1000
    return f"{number:.0f} P"


def size(number: float) -> str:
    """A number of bytes: 999 B, 12.4 kB, 5.24 MB."""
    return f"{short(number)}B" if number >= 999.5 else f"{number:.0f} B"


def duration(seconds: float) -> str:
    """A time in two units at most: 9.9 s, 59 s, 3 min 05 s, 2 h 07 min."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 1:
        return f"{rest} s"
    if minutes < 60:
        return f"{minutes} min {rest:02} s"
    return f"{minutes // 60} h {minutes % 60:02} min"


def number(digits: int) -> Callable[[float], str]:
    """A function that writes a number with this many decimals."""
    return lambda value: f"{value:.{digits}f}"


def align(lines: list[list[str]]) -> str:
    """Lay out a table in plain text: the first column left-aligned, the others right-aligned.

    Args:
        lines: of the same number of cells; a line of empty cells is dropped.
    """
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    text = []
    for label, *values in lines:
        cells = [value.rjust(width) for value, width in zip(values, widths[1:], strict=True)]
        text.append("  ".join([label.ljust(widths[0]), *cells]).rstrip())
    return "\n".join(filter(None, text))
