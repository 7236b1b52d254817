"""JSON that is too large to be read as a whole, told by its beginning."""

from __future__ import annotations

import json


def is_unfinished_json(beginning: str) -> bool:
    """Whether the beginning of a large text is JSON, wrong only in that it has no end.

    Args:
        beginning: so much of the text that no prose is JSON for as long.
    """
    text = beginning.strip()
    if not text.startswith(("{", "[")):
        return False
    try:
        json.JSONDecoder().raw_decode(text)
    except json.JSONDecodeError as error:
        # Where the text was cut off, in a number or a name too, or in a string that began before.
        return error.pos >= len(text) - 16 or error.msg.startswith("Unterminated string")
    except (ValueError, RecursionError):
        return False
    return False
