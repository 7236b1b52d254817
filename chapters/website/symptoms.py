"""The box that finds a mistake by what one sees, with what the page's script needs for it.

The script, static/symptom.js, does on the page what kdlib.exercises.museum.finder does in a notebook;
a test asks both the same questions.
"""

from __future__ import annotations

import json

from kdlib.exercises.catalogue import misconceptions
from kdlib.exercises.museum import finder

FORM = """<div class="on-screen symptoms">
<form role="search"><label for="symptom">What do you see?</label>
<input id="symptom" type="search" autocomplete="off" placeholder="my loss is negative"></form>
<ol id="suspects" aria-live="polite"></ol>
</div>"""


def form() -> str:
    """The box, the place for what is found, the data and the script, as HTML in Markdown."""
    data = json.dumps(knowledge(), ensure_ascii=False, separators=(",", ":")).replace("</", "<\\/")
    return (
        f'{FORM}\n\n<script type="application/json" id="symptom-data">{data}</script>\n\n'
        '<script src="_static/symptom.js" defer></script>'
    )


def knowledge() -> dict:
    """What the finder knows: words, their weights, and the phrases of each mistake in its terms."""
    return {
        "none": sorted(finder.NO_WORDS),
        "same": finder.CANONICAL,
        "weights": {term: round(weight, 4) for term, weight in finder.weights().items()},
        "mistakes": {
            id: {
                "sign": about.sign,
                "name": about.name,
                "phrases": [sorted(finder.terms(text)) for text in finder.phrases_of(about)],
            }
            for id, about in misconceptions().items()
        },
    }
