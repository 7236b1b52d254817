"""A weak model's labels for a strong one, and the confidence loss."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from kdlib.claims.claim import VALIDATION, Arm, Claim, Source
from kdlib.claims.grounds import pocket, supervision
from kdlib.claims.grounds import supervision_pieces as texts
from kdlib.claims.grounds.supervision_counts import Counted
from kdlib.claims.rules import Lead

RATES = (0.00001, 0.00003, 0.0001, 0.0003, 0.001, 0.003, 0.01)
QUICK = 4
TOLD = ", truth chooses"  # of an arm that learns no truth, but whose rate the truth chooses


def _labels(kind: str, seed: int) -> Tensor:
    """Of the strong model's pieces: the truth, or what the weak model says, soft or sharpened."""
    ids, truth = texts.lesson(False, seed)
    if kind == "ceiling":
        return truth
    soft = supervision.said(supervision.supervisor(seed), ids).sigmoid()
    if kind != "sharpened":
        return soft
    hard = (soft > 1 / 2).float()
    return (1 - supervision.ALPHA) * soft + supervision.ALPHA * hard


def _train(kind: str, rate: float, seed: int, quick: bool) -> Mapping[str, float]:
    told, kind = kind.endswith(TOLD) or kind == "ceiling", kind.removesuffix(TOLD)
    alpha = supervision.ALPHA if kind == "confidence" else 0.0
    lesson = supervision.Labelled(texts.lesson(False, seed).ids, _labels(kind, seed), alpha)
    steps = QUICK if quick else supervision.STEPS
    begun = supervision.strong(kind != "new", seed)
    student = supervision.fine_tune(begun, lesson, steps, rate, seed)
    judge = None if told else supervision.supervisor(seed)
    return {VALIDATION: supervision.missed(student, judge)} | supervision.exam(student)


def _weak(rate: float, seed: int, quick: bool) -> Mapping[str, float]:
    return supervision.exam(supervision.supervisor(seed))


def _count(true: bool, rate: float, seed: int, quick: bool) -> Mapping[str, float]:
    ids, labels = texts.lesson(true, seed)
    if not true:
        labels = _labels("naive", seed)
    strong: Any = pocket.teacher()
    return supervision.exam(Counted(ids, labels, strong.config.vocab_size))


def _arm(kind: str, words: str) -> Arm:
    return Arm(words, functools.partial(_train, kind), RATES)


CLAIM = Claim(
    name="weak-to-strong",
    sentence="A strong model that learns from a weak one's labels becomes better than its "
    "supervisor, and a confidence loss adds to that.",
    source=Source(
        "Burns et al., Weak-to-Strong Generalization: Eliciting Strong Capabilities With Weak "
        "Supervision",
        2023,
        "abstract",
        "pretrained models of the GPT-4 family fine-tuned on labels of weaker ones, in language "
        "tasks, chess and reward modelling: consistently better than their supervisors; an auxiliary "
        "confidence loss helps often",
        "the abstract, and the loss in the published code",
    ),
    arms={
        "weak": Arm("the supervisor: small, new, taught the truth of 24 messages", _weak),
        "naive": _arm("naive", "the strong model on the weak one's soft labels of 80 others"),
        "confidence": _arm("confidence", "the same with the confidence loss"),
        "sharpened": _arm("sharpened", "the same with the weak model's own hard labels instead"),
        "new": _arm("new", "new weights in the strong model's shape, on the soft labels"),
        **{
            kind + TOLD: _arm(kind + TOLD, f"{kind}, but the truth chooses the rate")
            for kind in ("naive", "confidence")
        },
        "ceiling": _arm("ceiling", "the strong model on the truth about the same 80"),
        "counts, weak labels": Arm(
            "token counts by the soft labels of the 80 (naive Bayes)",
            functools.partial(_count, False),
        ),
        "counts, truth": Arm(
            "token counts by the truth about the weak model's 24", functools.partial(_count, True)
        ),
    },
    equal="documents, pieces, their order and the steps; the supervisor's rate is fixed, and each other "
    "trained arm has its best of seven by "
    "the validation pieces that it does not call as the weak model does (the ceiling, and where the "
    "truth chooses: as the truth is)",
    rule=(
        Lead("accuracy", "naive", "weak", higher=True),
        Lead("accuracy", "confidence", "naive", higher=True),
    ),
    rival="Any student that averages over many noisy labels passes the supervisor, a new one or a "
    "table of counts too; the confidence loss only sharpens the labels; or what decides "
    "is who chooses the rate.",
    rival_rules=(
        Lead("accuracy", "naive", "new", higher=True),
        Lead("accuracy", "naive", "counts, weak labels", higher=True),
        Lead("accuracy", "naive", "counts, truth", higher=True),
        Lead("accuracy", "confidence", "sharpened", higher=True),
        # The two arms of these were added after the first run: the weak model's labels had chosen
        # the highest rate, the one that copies best.
        Lead("accuracy", f"naive{TOLD}", "naive", higher=True),
        Lead("accuracy", f"confidence{TOLD}", f"naive{TOLD}", higher=True),
        Lead("accuracy", f"naive{TOLD}", "counts, weak labels", higher=True),
        Lead("accuracy", "ceiling", "confidence", higher=True),
    ),
    reach="One task of two classes, and words go in and out of fashion; 11 test messages, which no model "
    "has read. The strong model has read the others as plain text. The paper's weak models were "
    "pretrained, too, and its gap in size is far larger.",
    settings=supervision.SETTINGS | {"rates": list(RATES), "quick": QUICK},
    measures={
        VALIDATION: "share of the validation pieces on which it differs from its judge: the weak model, "
        "or the truth",
        "accuracy": "share of the test pieces that are put into the right half of the years",
        "loss": "cross-entropy against the truth on the test pieces, nats per piece",
    },
)
