"""The pages' templates: every text that they are given is escaped, and nothing is fetched."""

from __future__ import annotations

import re
from typing import Any

from markupsafe import Markup

from kdlib import plots
from kdlib.reports.formatting import duration, percent, short, size


def render(template: str, **values: Any) -> str:
    """Fill a page's template.

    Args:
        template: name of a file beside this one, without ``.html.j2``.
        values: what it is filled with; a name that it uses and that is missing is an error.

    Returns:
        The HTML.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    jinja = Environment(
        loader=PackageLoader("kdlib.reports", "pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    jinja.filters |= {"short": short, "size": size, "duration": duration, "percent": percent}
    jinja.filters |= {"one_line_breaks": one_line_breaks, "unbroken": unbroken}
    looks = {"looks": plots.LOOKS, "swatch": lambda look: Markup(plots.swatch(look))}
    return jinja.get_template(f"{template}.html.j2").render(**looks, **values)


def figure(picture: plots.Picture) -> Markup:
    """The picture as markup that a template inserts as it is."""
    return Markup(plots.svg(picture))


def one_line_breaks(text: str) -> str:
    """A text without empty lines: a model that writes nothing else fills no page."""
    return re.sub(r"\s*\n\s*", "\n", text.strip())


def unbroken(text: str) -> str:
    """A text whose percentages keep their sign on the line."""
    return text.replace(" %", "\u00a0%")
