"""A record as text with its counted tokens marked, for a person to look at."""

from __future__ import annotations

import numpy as np

from kdlib.records.rows import Encoded
from kdlib.records.template import ChatTemplate

OPEN, CLOSE = "⟦", "⟧"


def marked(encoded: Encoded, template: ChatTemplate) -> str:
    """The tokens as text, those of each answer between marks.

    Args:
        encoded: a record in tokens.
        template: by which it was encoded.
    """
    borders = np.flatnonzero(np.diff(encoded.answer)) + 1
    decode = template.tokenizer.backend_tokenizer.decode
    parts = []
    for places in np.split(np.arange(len(encoded.ids)), borders):
        text = decode(encoded.ids[places].tolist(), skip_special_tokens=False)
        parts.append(f"{OPEN}{text}{CLOSE}" if encoded.answer[places[0]] else text)
    return "".join(parts)
