"""A weak model supervises a strong one: classifiers, how they learn, and their exam.

The weak one is new and small (0.34 million parameters) and learns a few documents' truth. The strong
one is the shipped teacher (7.36 million) with a head on the mean of its last hidden states; it is
fine-tuned wholly. It has read the training documents as plain text, but nobody told it their years.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_

from kdlib.claims.grounds import pocket
from kdlib.claims.grounds import supervision_pieces as texts
from kdlib.claims.grounds.supervision_losses import confidence_loss
from kdlib.claims.rules import Numbers
from kdlib.training.schedule import (
    Training,
    learning_rate,
    make_optimizer,
    rows_of_step,
    set_learning_rate,
)

BATCH, STEPS = 16, 80  # of the strong model: each piece once
WEAK_STEPS, WEAK_RATE = 48, 0.01
ALPHA, WARM_UP = 0.5, 0.2  # of the confidence loss; the share of the steps in which alpha rises
ROWS = 64  # read at once where nothing is learned
SETTINGS: dict[str, Any] = {
    "later": texts.LATER, "piece": texts.PIECE, "documents": [texts.WEAK, texts.STRONG],
    "pieces": [texts.OF_DRAWN, texts.OF_VALIDATION, texts.OF_TEST],
    "batch": BATCH, "steps": STEPS, "weak": [WEAK_STEPS, WEAK_RATE], "alpha": ALPHA,
    "warm-up": WARM_UP, "width": pocket.WIDTH, "layers": pocket.LAYERS, "heads": pocket.HEADS,
}  # fmt: skip

Say = Callable[[Tensor], Tensor]  # tokens (N, S) -> logits (N,) of the later years


class Classifier(nn.Module):
    """A language model's body with a head on the mean of its last hidden states.

    Args:
        body: copied; the head begins with zeros, so that nothing is likelier than the other.
    """

    def __init__(self, body: Any) -> None:
        super().__init__()
        self.body = copy.deepcopy(body).requires_grad_(True)
        self.head = nn.Linear(body.config.hidden_size, 1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, ids: Tensor) -> Tensor:
        """Logits (N,) of the later years."""
        states = self.body(ids, use_cache=False).last_hidden_state
        logits: Tensor = self.head(states.mean(1))[:, 0]
        return logits


class Labelled(NamedTuple):
    """What a classifier learns from.

    Attributes:
        ids: (N, S) tokens.
        labels: (N,) probabilities of the later years.
        alpha: weight of its own opinion in the end.
    """

    ids: Tensor
    labels: Tensor
    alpha: float = 0.0


def fine_tune(
    classifier: Classifier, lesson: Labelled, steps: int, rate: float, seed: int
) -> Classifier:
    """Train a classifier in place, all of it; returns it."""
    training = Training(steps, BATCH, learning_rate=rate)
    optimizer = make_optimizer(classifier, training)
    for step in range(steps):
        set_learning_rate(optimizer, learning_rate(step, training))
        rows = rows_of_step(step, len(lesson.ids), BATCH, seed)
        alpha = lesson.alpha * min(1.0, (step + 1) / (WARM_UP * steps))
        confidence_loss(classifier(lesson.ids[rows]), lesson.labels[rows], alpha).backward()
        clip_grad_norm_(classifier.parameters(), training.clip)
        optimizer.step()
        optimizer.zero_grad()
    return classifier


@torch.no_grad()
def said(classifier: Say, ids: Tensor) -> Tensor:
    """Logits (N,) at many pieces."""
    return torch.cat([classifier(some) for some in ids.split(ROWS)])


@functools.cache
def supervisor(seed: int) -> Classifier:
    """The weak model of a seed: new weights, and the truth about its own documents."""
    lesson = texts.lesson(True, seed)
    begun = Classifier(pocket.new_student(seed).model)
    return fine_tune(begun, Labelled(*lesson), WEAK_STEPS, WEAK_RATE, seed)


def strong(pretrained: bool, seed: int) -> Classifier:
    """The strong model before its first step: the shipped teacher, or new weights in its shape."""
    body: Any = pocket.teacher().model
    if pretrained:
        return Classifier(body)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Classifier(type(body)(body.config))


def exam(classifier: Say) -> dict[str, float]:
    """Accuracy, and cross-entropy against the truth, on the test pieces."""
    ids, truth = texts.held_out(test=True)
    logits = said(classifier, ids).float()
    right = (logits > 0) == truth.bool()
    loss = F.binary_cross_entropy_with_logits(logits, truth)
    return {"accuracy": float(right.float().mean()), "loss": float(loss)}


def missed(classifier: Say, judge: Say | None) -> float:
    """Share of the validation pieces that are not called as by the judge; None: the truth."""
    ids, truth = texts.held_out(test=False)
    right = truth.bool() if judge is None else said(judge, ids) > 0
    return float(((said(classifier, ids) > 0) != right).float().mean())


def gap_recovered(numbers: Numbers, arm: str, weak: str, ceiling: str) -> list[float]:
    """How far an arm's accuracy has come from the weak model's to the ceiling's, seed by seed."""
    columns = (numbers[each]["accuracy"] for each in (arm, weak, ceiling))
    return [(x - low) / (high - low) for x, low, high in zip(*columns, strict=True)]
