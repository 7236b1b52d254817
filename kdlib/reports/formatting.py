"""Numbers as people read them: shares, sizes, durations, and plain tables of them."""

from __future__ import annotations

from collections.abc import Callable


def percent(share: float, digits: int = 0) -> str:
    return f"{100 * share:.{digits}f} %"


def short(number: float) -> str:
    """Three significant digits: 999, 12.4 k, 5.24 M."""
    for unit in ("", " k", " M", " G", " T"):
        if number < 999.5:
            return f"{number:.3g}{unit}"
        number /= 1000
    return f"{number:.0f} P"


def size(number: float) -> str:
    return f"{short(number)}B" if number >= 999.5 else f"{number:.0f} B"


def duration(seconds: float) -> str:
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 1:
        return f"{rest} s"
    if minutes < 60:
        return f"{minutes} min {rest:02} s"
    return f"{minutes // 60} h {minutes % 60:02} min"


def number(digits: int) -> Callable[[float], str]:
    return lambda value: f"{value:.{digits}f}"


def align(lines: list[list[str]]) -> str:
    """Cells as a table in plain text: labels to the left, values to the right; no empty lines."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    text = []
    for label, *values in lines:
        cells = [value.rjust(width) for value, width in zip(values, widths[1:], strict=True)]
        text.append("  ".join([label.ljust(widths[0]), *cells]).rstrip())
    return "\n".join(filter(None, text))
