"""The look of a series as a small mark in running text: a legend that a page can set itself."""

from __future__ import annotations

from typing import Any

from matplotlib.markers import MarkerStyle

from kdlib.plots.style import INK, Look

WIDTH, HEIGHT, RADIUS, STROKE = 34, 12, 4.2, 2.0


def swatch(look: Look) -> str:
    """A piece of the line with a marker, as an ``<svg>`` element that only the eye is meant for.

    It has no ids, so a page may hold it many times.

    Args:
        look: of the series.
    """
    color = "currentColor" if look.color == INK else look.color
    dashes = "" if isinstance(look.line, str) else " ".join(f"{STROKE * d:g}" for d in look.line[1])
    line = f'<path d="M0 {HEIGHT / 2:g}H{WIDTH}" stroke-width="{STROKE:g}" stroke-dasharray="{dashes}"/>'
    return (
        f'<svg class="swatch" viewBox="0 0 {WIDTH} {HEIGHT}" aria-hidden="true" fill="{color}"'
        f' stroke="{color}">{line}<path d="{_outline(look.marker)}" stroke="none"/></svg>'
    )


def _outline(marker: str) -> str:
    """The marker's outline in the middle of the mark, as path data."""
    style = MarkerStyle(marker)
    outline = style.get_path().transformed(style.get_transform())
    corners: Any = outline.to_polygons(closed_only=False)[0]
    points = [
        f"{WIDTH / 2 + 2 * RADIUS * x:.1f} {HEIGHT / 2 - 2 * RADIUS * y:.1f}" for x, y in corners
    ]
    return f"M{'L'.join(points)}Z"
