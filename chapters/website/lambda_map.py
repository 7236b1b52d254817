"""The explorable of chapter 6: the best lambda over label noise and the teacher's error."""

from __future__ import annotations

import torch

from kdlib.plots import Picture
from kdlib.plots.chapter_06 import maps
from kdlib.toys.worlds import random_world
from website.explorable import Explorable

WORLD = random_world("sun rain wind snow fog .", seed=3)  # the diary of section 6.2
MOST = 0.5  # of both axes
STEP = 0.01
ENTRIES = {"without end": None, "of 3000 entries": 3000, "of 300 entries": 300}
START = {"noise": 0.2, "error": 0.2}
STILL = (0.0, 0.1, 0.2, 0.3, 0.4)


def _map() -> Picture:
    visits, clean = WORLD.visits(), WORLD.log_rows().exp()
    share = torch.linspace(0, 1, 101, dtype=torch.float64)[:, None, None]

    def best(rate: float, strength: float) -> float:
        labels = WORLD.with_label_noise(rate).log_rows().exp()
        teacher = WORLD.with_bias(strength).log_rows().exp()
        students = (1 - share) * labels + share * teacher
        harm = visits @ (clean * (clean / students).log()).sum(-1).T
        return share[harm.argmin()].item()

    errors = [strength or 0.05 for strength in STILL]  # as in the chapter's map
    return maps(
        {"labels without end": [[best(rate, strength) for strength in errors] for rate in STILL]},
        rows=STILL,
        columns=errors,
        xlabel="the teacher's error",
        ylabel="share of wrong labels",
        bar="best alpha",
        alt="A map of the best alpha. With a good teacher, on the left, it is 1 as soon as labels "
        "are wrong; with a bad one, on the right, it is 0 until many are. Between lies a narrow band.",
    )


EXPLORABLE = Explorable(
    "The lambda map",
    "Drag the dot over the map: how wide is the band in which labels and teacher share? Then take "
    "another lambda than the best, on the curve: where does that cost you something? And what do "
    "few labels change?",
    "The diary of this chapter, the student in closed form. A place of the map takes the best alpha of "
    "a hundred and one; with a number of entries the cost of their scatter is added, as above.",
    {
        "words": list(WORLD.words),
        "visits": WORLD.visits().tolist(),
        "rows": WORLD.log_rows().exp().tolist(),
        "most": MOST,
        "step": STEP,
        "entries": ENTRIES,
        "start": START,
    },
    _map,
    ("figure.js", "lambda_map.js"),
)
