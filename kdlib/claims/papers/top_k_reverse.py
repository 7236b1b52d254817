"""What reverse KL over a teacher's likeliest words alone makes of a student."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping

import torch

from kdlib.claims.claim import Arm, Claim, Source
from kdlib.claims.rules import Above, Lead, Level

WORDS, KEPT = 1000, 12
STEPS, QUICK, RATE = 1500, 100, 0.05


def _train(kind: str, rate: float, seed: int, quick: bool) -> Mapping[str, float]:
    draws = torch.Generator().manual_seed(seed)
    ranks = torch.arange(1, WORDS + 1, dtype=torch.float64)
    # Zipf's law, with words that are somewhat likelier or less likely than it says.
    noise = 0.3 * torch.randn(WORDS, generator=draws, dtype=torch.float64)
    log_p = (noise - ranks.log()).log_softmax(-1)
    top = log_p.topk(KEPT).indices
    kept = log_p.exp()[top].sum().item()
    if kind == "closed form":
        return {"loss": -kept / math.e, "mass": kept / math.e, "mass lost": kept - kept / math.e}
    logits = torch.zeros(WORDS, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([logits], lr=RATE)
    for _ in range(QUICK if quick else STEPS):
        optimizer.zero_grad()
        loss = _loss(kind, log_p, logits.log_softmax(-1), top)
        loss.backward()
        optimizer.step()
    mass = logits.detach().softmax(-1)[top].sum().item()
    return {"loss": loss.item(), "mass": mass, "mass lost": kept - mass}


def _loss(kind: str, log_p: torch.Tensor, log_q: torch.Tensor, top: torch.Tensor) -> torch.Tensor:
    if kind == "all":
        top = torch.arange(WORDS)
    loss = (log_q[top].exp() * (log_q[top] - log_p[top])).sum()
    if kind == "top and rest":
        rest_p, rest_q = (torch.log1p(-log[top].exp().sum()) for log in (log_p, log_q))
        loss = loss + rest_q.exp() * (rest_q - rest_p)
    return loss


def _arm(kind: str, words: str) -> Arm:
    return Arm(words, functools.partial(_train, kind))


CLAIM = Claim(
    name="top-k-reverse",
    sentence="Reverse KL over a teacher's likeliest words alone is not a divergence: it falls below "
    "zero, and the student takes probability away from just these words.",
    source=Source(
        "Reports in public training code for reinforcement learning, in which such a loss was "
        "proposed and withdrawn",
        2026,
        "threads",
        "runs of large models whose probability on the kept words shrank",
        "the threads, as they are summed up elsewhere",
    ),
    arms={
        "top": _arm("top", f"the {KEPT} likeliest words of {WORDS}, not made to sum to one"),
        "top and rest": _arm("top and rest", "the same, and all other words as one"),
        "all": _arm("all", "every word"),
        "closed form": _arm("closed form", "each kept word at its teacher's probability over e"),
    },
    equal="teacher, start, steps",
    rule=(Above("mass lost", "top", 0.1), Lead("mass", "all", "top", 0.1, higher=True)),
    rival="It is a matter of too few steps or of the optimiser: at its minimum the loss is sound.",
    rival_rules=(
        Level("loss", "top and rest", "all", 0.01),
        Lead("loss", "top", "all"),
        Level("mass", "top", "closed form", 0.001),
        Level("loss", "top", "closed form", 0.001),
    ),
    reach="One distribution at a time, and free logits. The minimum has a closed form: each kept word "
    "rests at its teacher's probability over e.",
    settings={
        "words": WORDS,
        "kept": KEPT,
        "steps": STEPS,
        "rate": RATE,
        "quick": QUICK,
    },  # fmt: skip
    measures={
        "loss": "the loss at the end, nats",
        "mass": "the student's probability of the kept words",
        "mass lost": "the teacher's less the student's",
    },
)
