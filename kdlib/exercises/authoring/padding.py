"""Slots of the vocabulary that belong to no token, and what is done to them in place of a cut."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from kdlib.exercises.authoring.kl import kl_of_logs

Slots = Callable[[Tensor, Tensor, int], tuple[Tensor, ...]]


def kl_of_slots(
    slots: Callable[..., tuple[Tensor, Tensor]] = lambda t, s, words: (
        t[..., :words].log_softmax(dim=-1),
        s[..., :words].log_softmax(dim=-1),
    ),
    kl: Callable[[Tensor, Tensor], Tensor] = kl_of_logs,
    cast: Callable[[Tensor], Tensor] = torch.Tensor.float,
) -> Callable[[Tensor, Tensor, int], Tensor]:
    """The KL of two models' logits. slots(teacher, student, words): log-probabilities of each."""
    return lambda teacher, student, words: kl(*slots(cast(teacher), cast(student), words))


def _filled(value: float, cut: bool) -> Slots:
    """Both filled up to one width, with the slots behind the tokens cut off before or not."""

    def slots(teacher: Tensor, student: Tensor, words: int) -> tuple[Tensor, ...]:
        width = max(teacher.shape[-1], student.shape[-1])
        kept = (x[..., :words] if cut else x for x in (teacher, student))
        filled = (F.pad(x, (0, width - x.shape[-1]), value=value) for x in kept)
        return tuple(x.log_softmax(dim=-1) for x in filled)

    return slots


def _cut_late(slots: Slots) -> Slots:
    return lambda teacher, student, words: tuple(
        x[..., :words] for x in slots(teacher, student, words)
    )


def _as_they_are(teacher: Tensor, student: Tensor, words: int) -> tuple[Tensor, ...]:
    return teacher.log_softmax(dim=-1), student.log_softmax(dim=-1)


def _common(teacher: Tensor, student: Tensor, words: int) -> tuple[Tensor, ...]:
    width = min(teacher.shape[-1], student.shape[-1])
    return _as_they_are(teacher[..., :width], student[..., :width], words)


PADDING_SWITCHES = (  # rows for `name_switches` that set the option `slots` of `kl_of_slots`
    (
        "vocab-padded-with-zero",
        "the narrower logits are filled up with 0; nearly all mass goes to the new slots",
        "an absent token has probability 0, and 0 is no low logit",
        {"slots": _filled(0.0, cut=False)},
    ),
    (
        "vocab-padded-with-zero",
        "the slots behind the tokens get the logit 0, in both models",
        "slots without a token take no mass",
        {"slots": _filled(0.0, cut=True)},
    ),
    (
        "vocab-padded-with-zero",
        "padded slots with the logit 0 take part in the softmax and are removed after it",
        "slots without a token have no probability before anything is normalised",
        {"slots": _cut_late(_filled(0.0, cut=True))},
    ),
    (
        "unused-slots-counted",
        "both are cut to the narrower of the two, which may still have slots without a token",
        "the tokenizer says how many slots there are, not a model",
        {"slots": _common},
    ),
    (
        "rest-not-renormalised",
        "softmax runs over all slots and is cut afterwards: the rows sum to less than 1",
        "two distributions over the same tokens",
        {"slots": _cut_late(_as_they_are)},
    ),
    (
        "zero-log-zero",
        "absent slots get minus infinity and stay in the sum, where 0 times infinity gives NaN",
        "no term at all for a slot without a token",
        {"slots": _filled(-math.inf, cut=True)},
    ),
)
