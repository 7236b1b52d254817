"""A check of two models and two tokenizers before training."""

import copy

import torch
from torch import nn

from kdlib.exercises.kinds.functions import code


@code(
    source=(),
    difficulty=3,
    minutes=10,
    prompt=(
        "Write `bug_ready_to_distil(teacher, student, teacher_ids, student_ids)`, a check before "
        "training. It returns four booleans, each True where all is well: no part of the teacher "
        "is in training mode; no parameter of the teacher asks for a gradient; the two models have "
        "no parameter memory in common (a student that began as a copy is fine); both tokenizers, "
        "given as dictionaries from token to id, agree."
    ),
    hints=(
        "Every question is about all parts: one layer, one parameter, one token can spoil it.",
        "Look through modules() and parameters(); two objects may still be one piece of memory.",
        (
            "`p.data_ptr()` is the address of a parameter; collect the teacher's in a set. Two "
            "dictionaries can be compared as they are."
        ),
    ),
    explanation="Dropout, gradients, sharing and tokenizers are four things; none implies another.",
)
def bug_ready_to_distil(teacher, student, teacher_ids, student_ids):
    """Whether the teacher is quiet, frozen, apart from the student, and reads the same ids."""
    quiet = not any(part.training for part in teacher.modules())
    frozen = not any(p.requires_grad for p in teacher.parameters())
    addresses = {p.data_ptr() for p in teacher.parameters()}
    apart = addresses.isdisjoint(p.data_ptr() for p in student.parameters())
    return quiet, frozen, apart, teacher_ids == student_ids


_FAULTS = {  # and which of the four results is False for it
    "all is well": None,
    "a teacher in training mode": 0,
    "one dropout layer in training mode": 0,
    "the outermost module alone in training mode": 0,
    "a teacher in eval mode that asks for gradients": 1,
    "one parameter that asks for a gradient": 1,
    "one module for both": 2,
    "a layer in common": 2,
    "a parameter made from the teacher's": 2,
    "a student that began as a copy": None,
    "the same tokens with other ids": 3,
    "the same ids for other tokens": 3,
    "one token more": 3,
}


def _models_with(fault: str):
    """Teacher, student and their tokenizers, sound but for one fault."""
    inner = nn.Sequential(nn.Linear(3, 3), nn.Dropout(0.1))
    teacher = nn.Sequential(nn.Embedding(4, 3), inner, nn.Linear(3, 4))
    student = nn.Sequential(nn.Embedding(4, 3), nn.Linear(3, 4))
    teacher.eval().requires_grad_(False)
    tokens = {"the": 0, "cat": 1, "sat": 2, "stop": 3}
    others = dict(reversed(tokens.items()))
    if fault == "a teacher in training mode":
        teacher.train()
    elif fault == "one dropout layer in training mode":
        inner[1].train()
    elif fault == "the outermost module alone in training mode":
        teacher.training = True
    elif fault == "a teacher in eval mode that asks for gradients":
        teacher.requires_grad_(True)
    elif fault == "one parameter that asks for a gradient":
        teacher[2].bias.requires_grad_(True)
    elif fault == "one module for both":
        student = teacher
    elif fault == "a layer in common":
        student[0] = teacher[0]
    elif fault == "a parameter made from the teacher's":
        last: nn.Linear = teacher[2]
        student[1].weight = nn.Parameter(last.weight.data)
    elif fault == "a student that began as a copy":
        student = copy.deepcopy(teacher).train().requires_grad_(True)
    elif fault == "the same tokens with other ids":
        others = {"the": 0, "cat": 2, "sat": 1, "stop": 3}
    elif fault == "the same ids for other tokens":
        others = {"the": 0, "dog": 1, "sat": 2, "stop": 3}
    elif fault == "one token more":
        others = {**tokens, "mat": 4}
    return teacher, student, tokens, others


for _fault in _FAULTS:
    bug_ready_to_distil.probe(_fault, _fault, measure=lambda ready, f: ready(*_models_with(f)))

for _part, _id, _seen, _expected in (
    (
        0,
        "teacher-in-train-mode",
        "the first result is wrong for some of the teachers",
        "every layer has a mode of its own, and gradients have nothing to do with it",
    ),
    (
        1,
        "teacher-gets-gradient",
        "the second result is wrong for some of the teachers",
        "every parameter is asked, and eval mode has nothing to do with it",
    ),
    (
        2,
        "shared-module",
        "the third result is wrong for some pairs of models",
        "memory is what must not be shared; equal values may be",
    ),
    (
        3,
        "same-size-same-tokenizer",
        "the fourth result is wrong for some pairs of tokenizers",
        "each token has the same id on both sides, in whichever order they are listed",
    ),
):

    @bug_ready_to_distil.symptom(_id, seen=_seen, expected=_expected)
    def _(results, part=_part):
        well = {fault: spoilt != part for fault, spoilt in _FAULTS.items()}
        wrongly = [fault for fault in well if bool(results[fault][part]) != well[fault]]
        return bool(wrongly)


@bug_ready_to_distil.also
def ready_in_loops(teacher, student, teacher_ids, student_ids):
    results = [True, True, True, len(teacher_ids) == len(student_ids)]
    for part in teacher.modules():
        results[0] &= not part.training
    for p in teacher.parameters():
        results[1] &= not p.requires_grad
        for q in student.parameters():
            results[2] &= p.untyped_storage().data_ptr() != q.untyped_storage().data_ptr()
    for token, number_ in teacher_ids.items():
        results[3] &= student_ids.get(token) == number_
    return results


def _with(index, value, *models):
    """The right results but for one of them."""
    results = list(bug_ready_to_distil.reference(*models))
    results[index] = value
    return results


@bug_ready_to_distil.wrong(
    "teacher-in-train-mode",
    seen="only the outermost module's mode is read; a dropout layer inside goes unnoticed",
    expected="layers keep their own modes, and each can differ",
)
def ready_outermost_mode(teacher, student, *ids):
    return _with(0, not teacher.training, teacher, student, *ids)


@bug_ready_to_distil.wrong(
    "teacher-gets-gradient",
    seen="eval mode is taken for frozen: a teacher in eval mode may still ask for gradients",
    expected="a question to the parameters, not to the mode",
)
def ready_eval_for_frozen(teacher, student, *ids):
    return _with(1, not teacher.training, teacher, student, *ids)


@bug_ready_to_distil.wrong(
    "teacher-gets-gradient",
    seen="only the first parameter is asked",
    expected="all parameters are asked",
)
def ready_first_parameter(teacher, student, *ids):
    return _with(1, not next(teacher.parameters()).requires_grad, teacher, student, *ids)


@bug_ready_to_distil.wrong(
    "shared-module",
    seen="only the whole models are compared; a layer in common goes unnoticed",
    expected="no single parameter in common",
)
def ready_not_same_model(teacher, student, *ids):
    return _with(2, teacher is not student, teacher, student, *ids)


@bug_ready_to_distil.wrong(
    "shared-module",
    seen="parameter objects are compared; a new object around the teacher's numbers goes unnoticed",
    expected="the memory below the objects is compared",
)
def ready_not_same_objects(teacher, student, *ids):
    known = {id(p) for p in teacher.parameters()}
    apart = known.isdisjoint(id(p) for p in student.parameters())
    return _with(2, apart, teacher, student, *ids)


@bug_ready_to_distil.wrong(
    "shared-module",
    seen="values are compared; a student that began as a copy is refused",
    expected="equal numbers in two places are no sharing",
)
def ready_not_same_values(teacher, student, *ids):
    same = any(
        p.shape == q.shape and torch.equal(p, q)
        for p in teacher.parameters()
        for q in student.parameters()
    )
    return _with(2, not same, teacher, student, *ids)


@bug_ready_to_distil.wrong(
    "same-size-same-tokenizer",
    seen="vocabularies of equal size pass, whatever they contain",
    expected="each token has the same id on both sides",
)
def ready_same_size(teacher, student, teacher_ids, student_ids):
    same = len(teacher_ids) == len(student_ids)
    return _with(3, same, teacher, student, teacher_ids, student_ids)


@bug_ready_to_distil.wrong(
    "same-size-same-tokenizer",
    seen="the same tokens pass also where their ids are permuted",
    expected="the ids are compared too",
)
def ready_same_tokens(teacher, student, teacher_ids, student_ids):
    same = set(teacher_ids) == set(student_ids)
    return _with(3, same, teacher, student, teacher_ids, student_ids)


@bug_ready_to_distil.wrong(
    "sign-flipped",
    seen="all four results say the opposite: True where something is wrong",
    expected="True where all is well",
)
def ready_inverted(*everything):
    return [not fine for fine in bug_ready_to_distil.reference(*everything)]
