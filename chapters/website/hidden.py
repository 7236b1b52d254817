"""What stands on the buttons that open a cell's code and its output, and how they are called."""

from __future__ import annotations

import re

# Of a cell's code; what stands on the other buttons is set in conf.py.
CODE = re.compile(
    r'(<details class="admonition hide above-input">\s*<summary[^>]*>\s*)'
    r"<p class=\"collapsed admonition-title\">[^<]*</p>\s*<p class=\"expanded admonition-title\">[^<]*</p>"
)
WORDS = (
    r'\1<p class="collapsed admonition-title">Show the code</p>'
    r'<p class="expanded admonition-title">Hide the code</p>'
)


def named_by_its_words(app, page, template, context, doctree) -> None:
    """html-page-context: myst-nb has one text for all buttons, and calls each "Toggle hidden content".

    Who speaks to a computer says what stands there, and would not be understood.
    """
    if "body" in context:
        body = context["body"].replace(' aria-label="Toggle hidden content"', "")
        context["body"] = CODE.sub(WORDS, body)
