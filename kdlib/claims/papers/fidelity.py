"""Does a student that could be its teacher become it? Agreement on its lesson, and on new text."""

from __future__ import annotations

import functools
from collections.abc import Mapping

import torch
from torch import nn

from kdlib.claims.claim import Arm, Claim, Source
from kdlib.claims.grounds import pocket, teachers
from kdlib.claims.grounds.learning import FROM_TEXT, ROWS, Lesson, learn
from kdlib.claims.rules import Above, Lead
from kdlib.data.blocks import Blocks

SHORT, PATIENT = 192, 1536  # steps
LITTLE, MUCH = 96, 1536  # blocks
SHARE = 0.5  # of a student that begins near its teacher: how much of its weights are the teacher's
QUICK = 4
KINDS = {  # steps, blocks
    "teacher's shape": (SHORT, LITTLE),
    "patient": (PATIENT, LITTLE),
    "patient, more text": (PATIENT, MUCH),
    "begun near it": (SHORT, LITTLE),
    "from the text": (SHORT, LITTLE),
}


@torch.no_grad()
def _begun(kind: str, teacher: nn.Module, seed: int) -> nn.Module:
    """The student before its first step."""
    student = pocket.new_student(seed)
    if kind == "begun near it":
        for mine, theirs in zip(student.parameters(), teacher.parameters(), strict=True):
            mine.lerp_(theirs, SHARE)
    return student


def _train(kind: str, rate: float, seed: int, quick: bool) -> Mapping[str, float]:
    teacher = teachers.small(quick)
    steps, blocks = KINDS[kind]
    lesson = Lesson(
        pocket.lesson(blocks), QUICK if quick else steps, pocket.BATCH,
        validation=pocket.text().validation,
    )  # fmt: skip
    if kind == "from the text":
        lesson = lesson._replace(objective=FROM_TEXT)
    else:
        lesson = lesson._replace(targets=teachers.exact(teachers.SMALL, quick, blocks))
    student = learn(_begun(kind, teacher, seed), lesson, rate, seed)
    disagreement = 1 - _agreement(student, teacher, pocket.lesson(blocks))
    return teachers.exam(student, teachers.SMALL, quick) | {
        "disagreement on its lesson": disagreement
    }


@torch.no_grad()
def _agreement(student: nn.Module, teacher: nn.Module, blocks: Blocks) -> float:
    """The share of tokens where both find the same one likeliest."""
    same = []
    for some in torch.arange(len(blocks)).split(ROWS):
        best = [
            model.eval()(input_ids=blocks.ids[some]).logits[:, :-1].argmax(-1)
            for model in (student, teacher)
        ]
        same.append((best[0] == best[1])[blocks.mask[some][:, 1:].bool()])
    return torch.cat(same).double().mean().item()


def _arm(kind: str, words: str) -> Arm:
    return Arm(words, functools.partial(_train, kind), pocket.RATES)


CLAIM = Claim(
    name="fidelity",
    sentence="A student that has its teacher's own shape, and so could match it, still disagrees "
    "with it often, even on the text that it was taught on.",
    source=Source(
        "Stanton et al., Does Knowledge Distillation Really Work?",
        2021,
        "abstract",
        "image classifiers distilled into their own architecture and from ensembles: agreement with "
        "the teacher stays far from complete, and difficulties of optimisation are named as a reason",
        "the abstract",
    ),
    arms={
        "teacher's shape": _arm("teacher's shape", f"{SHORT} steps on {LITTLE} blocks"),
        "patient": _arm("patient", f"{PATIENT} steps on the same blocks"),
        "patient, more text": _arm("patient, more text", f"{PATIENT} steps on {MUCH} blocks"),
        "begun near it": _arm(
            "begun near it", f"{SHORT} steps from weights that are {SHARE:g} the teacher's"
        ),
        "from the text": _arm("from the text", f"{SHORT} steps without a teacher"),
    },
    equal="shape, order of blocks, the best of eight looks; each arm has its best of three rates",
    rule=(Above("disagreement on its lesson", "patient", by=0.1),),
    rival="It has not been trained for long enough, or on enough text, or it started in the wrong "
    "place.",
    rival_rules=(
        Lead("disagreement on its lesson", "patient", "teacher's shape"),
        Lead("agreement", "patient, more text", "patient", higher=True),
        Lead("agreement", "begun near it", "teacher's shape", higher=True),
        Lead("loss", "patient, more text", "patient"),
        Lead("loss", "begun near it", "teacher's shape"),
        Lead("loss", "teacher's shape", "from the text"),
    ),
    reach="A teacher of 0.36 million parameters that has itself not been trained to its end. The "
    "paper's networks are far larger, and its pictures have ten or a hundred classes, not 4,096.",
    settings=pocket.SETTINGS
    | teachers.SETTINGS
    | {
        "steps and blocks": {kind: list(each) for kind, each in KINDS.items()},
        "share": SHARE,
        "quick": QUICK,
    },  # fmt: skip
    measures=teachers.MEASURES
    | {
        "disagreement on its lesson": "share of the lesson's tokens where teacher and student find "
        "different ones likeliest",
    },
)
