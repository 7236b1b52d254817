"""The alt texts of the chapters' figures, which stand in files of their own.

In the cell that draws a figure its words would tell what there is to see before the cell has run.
`words/chapter_NN.toml` holds those of chapter NN: a key for each figure, a text for each key.
"""

from __future__ import annotations

import functools
import re
import string
import tomllib
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).with_name("words")
KEY = re.compile(r"(\d\d)-(.+)")


def words(key: str, **values: Any) -> str:
    """The alt text of a figure.

    Args:
        key: number of the chapter and name of the figure: "04-kl-moved".
        values: numbers for the text's places: ``best=0.274`` fills ``{best:.2f}``. A brace that is
            meant as such is doubled in the text.

    Returns:
        The text on one line.

    Raises:
        ValueError: where there is no such key, or where values and places are not the same.
    """
    match = KEY.fullmatch(key)
    texts = texts_of(int(match[1])) if match else {}
    if match is None or match[2] not in texts:
        raise ValueError(f"there are no words for {key!r}; chapter_NN.toml has {sorted(texts)}")
    text = texts[match[2]]
    places = {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}
    if places != set(values):
        raise ValueError(f"the words of {key!r} have places for {sorted(places)}, not {values}")
    return " ".join(text.format(**values).split())


@functools.cache
def texts_of(chapter: int) -> dict[str, str]:
    """The texts of a chapter as they stand in its file, by the names of its figures."""
    path = FOLDER / f"chapter_{chapter:02}.toml"
    return tomllib.loads(path.read_text("utf-8")) if path.exists() else {}
