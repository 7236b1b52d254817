"""KL over the tokens that exist."""

import math

import torch

from kdlib.exercises.authoring.floors import UNLIKELY, no_floor
from kdlib.exercises.authoring.gradients import gradient_in, trains_the_student
from kdlib.exercises.authoring.inputs import normal
from kdlib.exercises.authoring.kl import kl_of_logs
from kdlib.exercises.authoring.lookalikes import kl_switches, name_lookalikes
from kdlib.exercises.authoring.padding import PADDING_SWITCHES, kl_of_slots
from kdlib.exercises.authoring.switches import name_switches
from kdlib.exercises.kinds.functions import code


@code(
    source=(),
    difficulty=2,
    minutes=8,
    prompt=(
        "Output layers are rounded up to handy sizes, and not to the same. Teacher and student "
        "share a tokenizer with `words` tokens, whose ids come first; the slots after these belong "
        "to no token, and their logits mean nothing. Write "
        "`bug_padded_kl(teacher_logits, student_logits, words)`: the KL from teacher "
        "to student at each position, over the tokens that exist, as a tensor that the student can "
        "learn from."
    ),
    hints=(
        "A token that does not exist must have probability 0 in both models.",
        "Taking a slot out of a softmax is not the same as dropping its probability afterwards.",
        "Slice both logits to `[..., :words]` first; then log-softmax, and the usual sum.",
    ),
)
def bug_padded_kl(teacher_logits, student_logits, words):
    """KL from teacher to student over the tokens that exist. (..., V1), (..., V2) -> (...)"""
    log_p = torch.log_softmax(teacher_logits[..., :words], dim=-1)
    log_q = torch.log_softmax(student_logits[..., :words], dim=-1)
    return (log_p.exp() * (log_p - log_q)).sum(dim=-1)


def _logits(*shape: int, seed: int):
    """Logits around -8, as trained models have them: a 0 among them would take nearly all mass."""
    return normal(*shape, seed=seed, scale=1.5) - 8.0


bug_padded_kl.probe("teacher padded further", _logits(3, 8, seed=721), _logits(3, 6, seed=722), 5)
bug_padded_kl.probe("student padded", _logits(2, 3, 6, seed=723), _logits(2, 3, 11, seed=724), 6)
bug_padded_kl.probe("both padded alike", _logits(4, 9, seed=725), _logits(4, 9, seed=726), 7)
bug_padded_kl.probe("no padding", _logits(2, 5, seed=727), _logits(2, 5, seed=728), 5)
bug_padded_kl.probe(
    "equal on the tokens that exist",
    torch.cat([_logits(2, 4, seed=729), _logits(2, 3, seed=730)], dim=-1),
    torch.cat([_logits(2, 4, seed=729), _logits(2, 1, seed=731)], dim=-1),
    4,
)
bug_padded_kl.probe(
    "four dimensions", _logits(2, 1, 3, 7, seed=734), _logits(2, 1, 3, 9, seed=735), 6
)
bug_padded_kl.probe(
    "slots without a token that have large logits",
    torch.cat([_logits(2, 4, seed=736), torch.full((2, 2), 150.0)], dim=-1),
    torch.cat([_logits(2, 4, seed=737), torch.full((2, 1), 200.0)], dim=-1),
    4,
)
no_floor(
    bug_padded_kl, torch.tensor([[1.0, 0.0, 2.0]]), torch.tensor([[UNLIKELY, 0.0, 1.0, 3.0]]), 2
)
trains_the_student(
    bug_padded_kl, *(_logits(3, 7, seed=732), _logits(3, 8, seed=733), 6), measure=gradient_in(1)
)


@bug_padded_kl.also
def padded_kl_masked(teacher_logits, student_logits, words):
    def probabilities(logits):
        absent = torch.arange(logits.shape[-1]) >= words
        return torch.softmax(logits.masked_fill(absent, -math.inf), dim=-1)[..., :words]

    p, q = probabilities(teacher_logits), probabilities(student_logits)
    return (torch.xlogy(p, p) - torch.xlogy(p, q)).sum(dim=-1)


name_switches(
    bug_padded_kl, kl_of_slots,
    *PADDING_SWITCHES,
    *kl_switches(),
    ("batch-for-row", "there is one mean for the whole batch", "one value for each position",
     {"kl": lambda log_p, log_q: kl_of_logs(log_p, log_q).mean()}),
)  # fmt: skip
name_lookalikes(bug_padded_kl, lambda kl: kl_of_slots(kl=kl))
