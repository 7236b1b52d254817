"""The explorable of chapter 8: what a run costs, with the teacher beside or with its answers kept."""

from __future__ import annotations

from dataclasses import asdict

from kdlib.bench.costs import (
    LLAMA_3_1B,
    LLAMA_3_8B,
    LLAMA_3_70B,
    SMOLLM2_135M,
    Assumptions,
    Llama,
    bills,
)
from kdlib.plots import Picture, curves
from website.explorable import Explorable

PLAN = Assumptions()  # the appendix's
MODELS = {
    "Llama 3, 70B": LLAMA_3_70B,
    "Llama 3, 8B": LLAMA_3_8B,
    "Llama 3.2, 1B": LLAMA_3_1B,
    "SmolLM2, 135M": SMOLLM2_135M,
    "this book's teacher": Llama(320, 5, 5, 5, 832, 4096, head_width=64, tied=True),
    "its student": Llama(128, 3, 4, 4, 320, 4096, head_width=32, tied=True),
}  # the last two as in section 8.8
TEACHER, STUDENT = "Llama 3, 70B", "Llama 3.2, 1B"
NAMES = {
    "tokens": "tokens of text",
    "passes": "passes over it",
    "vocabulary": "words of the vocabulary",
    "kept": "words kept in top-k",
    "gpu_flops": "operations a second, one GPU",
    "gpu_bytes": "bytes a second, its memory",
    "gpu_hour": "an hour of it",
    "terabyte_month": "a month of a stored terabyte",
}


def series(low: int, high: int) -> list[float]:
    """1, 2 and 5 times each power of ten from `low` to `high`, both within."""
    return [digit * 10.0**power for power in range(low, high) for digit in (1, 2, 5)] + [10.0**high]


STOPS = {
    "tokens": series(6, 14),
    "passes": [1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 30, 50, 100, 200, 500, 1000],
    "vocabulary": [2048, 4096, 8192, 16_384, 32_000, 49_152, 65_536, 100_277, 128_256, 200_064, 262_144],
    "kept": [1, 2, 4, 8, 12, 16, 25, 32, 50, 64, 100, 128, 200, 500, 1000],
    "gpu_flops": sorted([*series(10, 16), PLAN.gpu_flops]),
    "gpu_bytes": sorted([*series(10, 13), PLAN.gpu_bytes]),
    "gpu_hour": [0, 0.1, 0.2, 0.5, 1, 1.5, 2, 2.5, 3, 4, 5, 10, 20],
    "terabyte_month": [0, 1, 2, 5, 10, 20, 30, 50, 100, 200],
}  # fmt: skip


def _lines() -> Picture:
    passes = STOPS["passes"][:13]
    ways = ("teacher beside", "hidden states", "sampled", "no teacher")
    found = [bills(Assumptions(passes=int(n))) for n in passes]
    return curves(
        passes,
        {way: [each[way].dollars / 1e6 for each in found] for way in ways},
        xlabel="passes over the text",
        ylabel="million dollars (log scale)",
        logx=True,
        logy=True,
        alt="Dollars over the passes of a student over a trillion tokens. With the teacher beside they "
        "grow from the first pass on; with its drawn words kept they begin at the same height and stay "
        "nearly flat; hidden states begin higher; without a teacher a run is cheaper throughout.",
    )


EXPLORABLE = Explorable(
    "The bill of a run",
    "Set the tokens to what you have and the operations to what your machine does. Does it pay to ask "
    "the teacher once and keep its answers? From which pass on, and which kind?",
    "The formulas and the other assumptions are those of the table above. Bars beyond three times the "
    "teacher beside are cut. Teacher and student share the vocabulary: choosing a teacher sets it.",
    {
        "plan": asdict(PLAN),
        "models": {name: asdict(shape) for name, shape in MODELS.items()},
        "teacher": TEACHER,
        "student": STUDENT,
        "stops": STOPS,
        "names": NAMES,
    },
    _lines,
    ("figure.js", "dials.js", "costs.js", "cost_calculator.js"),
)
