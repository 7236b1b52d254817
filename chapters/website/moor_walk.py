"""The explorable of chapter 9: a student walks its own text over the moor."""

from __future__ import annotations

import torch

from kdlib.plots import Picture, curves
from website.explorable import Explorable

ROAD = "gate bridge mill church inn tower pond hill".split()
MOOR = (
    "bog reeds mud thorns mist pool rock heather ditch fern moss gorse sand stump puddle"
).split()
SMOOTHING = 1e-4  # these and the length as in section 9.1
LENGTH = 16
START = {"slip": 0.02, "knows": 0.0}
STOPS = {
    "slip": [round(0.005 * i, 3) for i in range(41)],
    "knows": [round(0.05 * i, 2) for i in range(21)],
}


def off_road(slip: float, knows: float) -> list[float]:
    """Share of the walks that go on which are on the moor, before each word.

    All places of the road are alike for this, and so are those of the moor. So two numbers will do:
    the chances to go on to the road and to the moor, from either.
    """
    road, moor, size = len(ROAD), len(MOOR), 1 + len(ROAD) + len(MOOR)

    def goes_on(sure: float) -> torch.Tensor:
        """To the road and to the moor, where the way is known with a weight of `sure`."""
        even = torch.tensor([road, moor], dtype=torch.float64) / size
        known = sure * (1 - SMOOTHING) * (1 - slip)
        return known * torch.tensor([1.0, 0.0], dtype=torch.float64) + (1 - known) * even

    step = torch.stack([goes_on(1.0), goes_on(knows)])
    now, shares = torch.tensor([1.0, 0.0], dtype=torch.float64), []
    for _ in range(LENGTH):
        shares.append((now[1] / now.sum()).item())
        now = now @ step
    return shares


def _courses() -> Picture:
    slip = 0.02
    students = {"knows no way back": 0.0, "knows half of it": 0.5, "knows all ways back": 1.0}
    return curves(
        range(LENGTH),
        {name: off_road(slip, knows) for name, knows in students.items()},
        xlabel="steps from the gate",
        ylabel="share of walks on the moor",
        alt="The share of walks that are on the moor over the steps, for students that slip at one word "
        "in fifty. It rises and levels off; the less a student knows of the ways back, the higher.",
    )


EXPLORABLE = Explorable(
    "A walk over the moor",
    "Let the student walk its own text. How many of its steps lead off the road, when only one in fifty "
    "slips? Which of the two dials takes the exposure bias away, and which of them can training turn?",
    "This student has learned the road as the guide knows it, and of the moor as much as you say; the "
    "rest is even. With all ways back it is the last student of the first table. A walk has at most "
    "fifteen steps.",
    {
        "road": ROAD,
        "moor": MOOR,
        "smoothing": SMOOTHING,
        "length": LENGTH,
        "start": START,
        "stops": STOPS,
    },
    _courses,
    ("figure.js", "dials.js", "moor.js", "moor_walk.js"),
)
