"""`headline`: which sentences of the book a rival test stands behind; a test may have several.

A headline is a sentence that compares, explains or generalises. The test runs what would explain it
otherwise, or overturn it: other seeds, other constants, another text, the arm that costs the same. It
fails where the headline is false. The gate `gates/headlines.py` reads these decorators and asks for
one behind every sentence that a summary lists.
"""

from collections.abc import Callable


def headline(chapter: int, sentence: str) -> Callable:
    """Decorator of a test whose docstring names the rival.

    Args:
        chapter: its number.
        sentence: as it stands in the chapter, white space apart; literally, for a gate reads it.
    """
    if not sentence.strip():
        raise ValueError("the headline is empty; give the sentence as it stands in the chapter")

    def stand_behind(test: Callable) -> Callable:
        if not (test.__doc__ or "").startswith("Rival: "):
            raise ValueError(f'{test.__name__} has no docstring """Rival: ..."""')
        test.headlines = [(chapter, sentence), *getattr(test, "headlines", [])]
        return test

    return stand_behind
