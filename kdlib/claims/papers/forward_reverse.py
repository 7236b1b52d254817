"""Do forward and reverse KL end at the same student?"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from kdlib.claims.claim import Arm, Claim, Source
from kdlib.claims.rules import Level
from kdlib.losses.divergences import forward_kl, reverse_kl

WORDS, PLACES, ROOM = 60, 20, 3
STEPS, QUICK, RATE = 1500, 100, 0.03
SHARPNESS = 2.0  # of the teacher's logits, as a standard deviation
Divergence = Callable[[Tensor, Tensor], Tensor]


def _train(
    divergence: Divergence, room: int | None, rate: float, seed: int, quick: bool
) -> Mapping[str, float]:
    draws = torch.Generator().manual_seed(seed)
    log_p = (SHARPNESS * _normal(draws, PLACES, WORDS)).log_softmax(-1)
    parts = [_normal(draws, PLACES, WORDS).mul(0.1)]
    if room is not None:
        parts = [_normal(draws, *shape).mul(0.3) for shape in ((PLACES, room), (room, WORDS))]
    for part in parts:
        part.requires_grad_()
    optimizer = torch.optim.Adam(parts, lr=RATE)
    steps = QUICK if quick else STEPS
    slower = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        optimizer.zero_grad()
        divergence(log_p, _log_q(parts)).mean().backward()
        optimizer.step()
        slower.step()
    with torch.no_grad():
        log_q = _log_q(parts)
        return {
            "forward KL": forward_kl(log_p, log_q).mean().item(),
            "reverse KL": reverse_kl(log_p, log_q).mean().item(),
        }


def _normal(draws: torch.Generator, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=draws, dtype=torch.float64)


def _log_q(parts: list[Tensor]) -> Tensor:
    logits = parts[0] if len(parts) == 1 else parts[0] @ parts[1]
    return logits.log_softmax(-1)


def _arm(words: str, divergence: Divergence, room: int | None) -> Arm:
    return Arm(words, functools.partial(_train, divergence, room))


CLAIM = Claim(
    name="forward-reverse",
    sentence="Trained for long enough, forward and reverse KL lead to the same student.",
    source=Source(
        "Wu et al., Rethinking Kullback-Leibler Divergence in Knowledge Distillation for Large "
        "Language Models",
        2024,
        "abstract",
        "students of 0.1 to 7 billion parameters; neither mode seeking nor mean seeking is found, and "
        "both directions are said to meet after enough epochs, the one from the head of the "
        "distribution, the other from its tail",
        "the abstract",
    ),
    arms={
        "narrow, forward": _arm("too small for the teacher, forward KL", forward_kl, ROOM),
        "narrow, reverse": _arm("too small for the teacher, reverse KL", reverse_kl, ROOM),
        "free, forward": _arm("can be the teacher, forward KL", forward_kl, None),
        "free, reverse": _arm("can be the teacher, reverse KL", reverse_kl, None),
    },
    equal="teacher, start and steps, until neither moves",
    rule=(Level("forward KL", "narrow, reverse", "narrow, forward", 0.05),),
    rival="It is so for a student that can be its teacher, for whom both losses have one minimum.",
    rival_rules=(
        Level("forward KL", "free, reverse", "free, forward", 0.05),
        Level("reverse KL", "narrow, reverse", "narrow, forward", 0.05),
    ),
    reach="Tables of 20 random distributions over 60 words; a language model is neither free nor as "
    "narrow as the one here.",
    settings={
        "words": WORDS,
        "places": PLACES,
        "room": ROOM,
        "steps": STEPS,
        "rate": RATE,
        "sharpness": SHARPNESS,
        "quick": QUICK,
    },  # fmt: skip
    measures={
        "forward KL": "KL(P‖Q), nats per word",
        "reverse KL": "KL(Q‖P), nats per word",
    },
)
