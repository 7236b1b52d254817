"""A passage as a heat map of surprise: what the page needs to colour each token and to explain it."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from kdlib.reports.formatting import percent

# Nats from which a token is coloured more strongly: a probability of 37, 14, 5, 0.7, 0.03 %.
STEPS = (1, 2, 3, 5, 8)
SIGNS = str.maketrans({"\n": "↵", "\r": "↵", "\t": "⇥"})


class Token(NamedTuple):
    """One token as one model read it.

    Attributes:
        space: what stands before it uncoloured: a space or nothing.
        text: the rest, with line breaks made visible.
        heat: how strongly it is coloured, from 0; of what does not count, 0.
        nll: the model's surprise, nats.
        share: the probability that the model gave it.
        guesses: the likeliest tokens with their probabilities, as texts, and whether it is one.
    """

    space: str
    text: str
    heat: int
    nll: float
    share: str
    guesses: list[tuple[str, str, bool]]


class Reading(NamedTuple):
    """A passage as one model read it.

    Attributes:
        name: the model's.
        tokens: the passage.
        mean: its mean surprise at what counts, nats per token.
        worst: the token of it that surprised it most.
    """

    name: str
    tokens: list[Token]
    mean: float
    worst: Token


def readings(passage: dict[str, Any], names: list[str]) -> list[Reading]:
    """The passage as these models read it.

    Args:
        passage: the entry of a report.
        names: of models in it.
    """
    texts = passage["tokens"]
    counted = passage.get("counted", [1] * len(texts))
    return [_reading(name, texts, counted, passage[name]) for name in names if name in passage]


def legend() -> list[str]:
    """What each heat means, from 0."""
    ends = zip((0, *STEPS), STEPS)
    return [*(f"{low} to {high}" for low, high in ends), f"over {STEPS[-1]}"]


def _reading(name: str, texts: list[str], counted: list[int], model: dict[str, Any]) -> Reading:
    """One model's reading."""
    rows = zip(texts, model["nll"], model["top5"], model["probability"], strict=True)
    tokens = [_token(*row) for row in rows]
    told = [token for token, counts in zip(tokens, counted, strict=True) if counts]
    told = told or tokens  # a template may end a record with more than a passage holds
    shown = [
        token if counts else token._replace(heat=0)
        for token, counts in zip(tokens, counted, strict=True)
    ]
    mean = sum(token.nll for token in told) / len(told)
    return Reading(name, shown, mean, max(told, key=lambda token: token.nll))


def _token(text: str, nll: float, likeliest: list[str], probability: list[float]) -> Token:
    """One token."""
    heat = sum(nll >= step for step in STEPS)
    guesses = [
        (visible(guess), _share(share), guess == text)
        for guess, share in zip(likeliest, probability, strict=True)
    ]
    space = " " if text[:1] == " " else ""
    word = visible(text.removeprefix(" ")) or "␣"
    return Token(space, word, heat, nll, _share(math.exp(-nll)), guesses)


def visible(text: str) -> str:
    """A token with its line breaks and tabs as signs."""
    return text.translate(SIGNS)


def _share(share: float) -> str:
    """A probability in as many digits as it is known to."""
    return percent(share, 1) if share >= 0.0005 else "under 0.1 %"
