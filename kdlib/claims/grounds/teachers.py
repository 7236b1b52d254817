"""Teachers by name: the shipped one, models cut out of it, and a small one from the text alone."""

from __future__ import annotations

import copy
import functools
from typing import Any

from torch import nn

from kdlib.claims.grounds import pocket
from kdlib.claims.grounds.learning import FROM_TEXT, Lesson, learn, nats
from kdlib.models.cutting import cut_out
from kdlib.models.frozen import freeze
from kdlib.models.pruning import Pruning, choose_cut
from kdlib.teachers.live import PrecomputedTargets

SHIPPED, SMALL = "shipped", "small"
QUICK = 2  # steps
PROBED = 8  # blocks of text by which a cut is chosen

ASSISTANTS = {
    "three blocks": Pruning(layers=3),
    "two half blocks": Pruning(layers=2, mlp_share=0.5),
}
ASSISTANT_BLOCKS, ASSISTANT_STEPS, ASSISTANT_RATE = 384, 192, 0.0025

SMALL_SEED, SMALL_STEPS, SMALL_BATCH, SMALL_RATE = 7, 400, 8, 0.012
SETTINGS: dict[str, Any] = {
    "probed": PROBED,
    "assistants": {name: [cut.layers, cut.mlp_share] for name, cut in ASSISTANTS.items()},
    "assistants' lesson": [ASSISTANT_BLOCKS, ASSISTANT_STEPS, ASSISTANT_RATE],
    "small teacher": [SMALL_SEED, SMALL_STEPS, SMALL_BATCH, SMALL_RATE],
}


MEASURES = pocket.MEASURES | {
    "forward KL": "KL(P‖Q) from its own teacher on the test text, nats per token",
    "agreement": "share of the test tokens where the student and its own teacher find the same one "
    "likeliest",
    "teacher's loss": "the teacher's own cross-entropy on the test text, nats per token",
}


@functools.cache
def cut(pruning: Pruning) -> Any:
    """What is kept of the shipped teacher: the blocks and neurons that do most."""
    teacher = pocket.teacher()
    chosen = choose_cut(teacher, pocket.lesson(PROBED).ids, pruning)
    return cut_out(teacher, chosen).float()


@functools.cache
def assistant(name: str, quick: bool) -> nn.Module:
    """A teacher of middle size: cut out of the shipped one, then taught by it. Frozen."""
    steps = QUICK if quick else ASSISTANT_STEPS
    blocks = PROBED if quick else ASSISTANT_BLOCKS
    course = Lesson(pocket.lesson(blocks), steps, pocket.BATCH, targets=pocket.exact(blocks))
    begun = copy.deepcopy(cut(ASSISTANTS[name]))
    return freeze(learn(begun, course, ASSISTANT_RATE, seed=0))


@functools.cache
def small(quick: bool) -> nn.Module:
    """A teacher of the students' own shape, from the whole text alone. Frozen."""
    course = Lesson(pocket.text().training, QUICK if quick else SMALL_STEPS, SMALL_BATCH, FROM_TEXT)
    return freeze(learn(pocket.new_student(SMALL_SEED), course, SMALL_RATE, SMALL_SEED))


def named(name: str, quick: bool) -> nn.Module:
    """The teacher of that name; in a quick form all but the shipped one have hardly been trained."""
    if name == SHIPPED:
        return pocket.teacher()
    return small(quick) if name == SMALL else assistant(name, quick)


@functools.cache
def exact(name: str, quick: bool, blocks: int) -> PrecomputedTargets:
    """The whole distributions of a teacher at every position of a lesson.

    Args:
        name: of the teacher, as in `named`.
        quick: whether it has hardly been trained.
        blocks: of the lesson.
    """
    return PrecomputedTargets(named(name, quick), pocket.lesson(blocks))


def exam(student: nn.Module, name: str, quick: bool) -> dict[str, float]:
    """The `MEASURES` of a student that has learned from this teacher."""
    teacher = named(name, quick)
    loss = nats(teacher, pocket.text().test)
    return pocket.exam(student, teacher) | {"teacher's loss": loss}
