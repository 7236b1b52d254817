"""A claim that takes no time: its arms return what is planted."""

from __future__ import annotations

import dataclasses

from kdlib.claims.claim import Arm, Claim, Source
from kdlib.claims.rules import Lead


def better(rate, seed, quick):
    """Loss 1 at the best rate, a little more with each seed."""
    return {"validation": 1 + abs(rate - 0.2), "loss": 1 + abs(rate - 0.2) + seed / 100}


def worse(rate, seed, quick):
    """Loss 2 at its only rate."""
    return {"validation": 2.0, "loss": 2 + seed / 90}


def counted(rate, seed, quick):
    """Nothing to tune."""
    return {"loss": 3.0}


CLAIM = Claim(
    name="made-up",
    sentence="The one is better than the other.",
    source=Source("Nobody", 2025, "nowhere", "nothing", "nothing"),
    arms={
        "one": Arm("the one", better, (0.1, 0.2, 0.4)),
        "other": Arm("the other", worse, (0.1,)),
        "table": Arm("a table", counted),
    },
    equal="all",
    rule=(Lead("loss", "one", "other"),),
    rival="The table is better.",
    rival_rules=(Lead("loss", "table", "other"),),
    reach="None.",
    settings={"pairs": (1, 2)},
    measures={"validation": "nats", "loss": "nats"},
    seeds=(0, 1, 2),
)


def changed(**fields):
    """The same claim with other fields."""
    return dataclasses.replace(CLAIM, **fields)
