"""A check of two models and two tokenizers before training."""

import copy

from torch import nn

from kdlib.exercises.authoring.left_behind import LOOKS, changed
from kdlib.exercises.kinds.functions import code


@code(
    source=(),
    difficulty=3,
    minutes=10,
    prompt=(
        "Write `bug_ready_to_distil(teacher, student, teacher_ids, student_ids)`, a check before "
        "training, which changes nothing. It returns four booleans, each True where all is well: "
        "no part of the teacher is in training mode; no parameter of the teacher asks for a "
        "gradient; the two models have no parameter memory in common (a student that began as a "
        "copy is fine); both tokenizers, given as dictionaries from token to id, agree."
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
    "a layer in common, at the same place": 2,
    "a layer in common, at another place": 2,
    "a parameter made from the teacher's": 2,
    "a student that began as a copy": None,
    "the same tokens with other ids": 3,
    "the same ids for other tokens": 3,
    "one token more": 3,
    "one token less": 3,
    "the same tokens but for a space": 3,
    "tokenizers of a single token": None,
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
    elif fault == "a layer in common, at the same place":
        student[1] = inner[0]
    elif fault == "a layer in common, at another place":
        student[1] = teacher[2]
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
    elif fault == "one token less":
        del others["stop"]
    elif fault == "the same tokens but for a space":
        others = {"the": 0, " cat": 1, "sat": 2, "stop": 3}
    elif fault == "tokenizers of a single token":
        tokens = others = {"stop": 0}
    return teacher, student, tokens, others


for _fault in _FAULTS:
    bug_ready_to_distil.probe(_fault, _fault, measure=lambda ready, f: ready(*_models_with(f)))


def _changes(ready):
    """How much of models and tokenizers has changed; a check leaves all as it is."""
    teacher, student, *ids = _models_with("one token less")
    student[1].requires_grad_(False)
    before = copy.deepcopy(ids)
    models = nn.ModuleList([teacher.train().requires_grad_(True), student])
    for part in (teacher[1], student[0]):
        part.eval()
    if (count := changed(*LOOKS.values())(lambda both: ready(*both, *ids), models)) is None:
        return None
    return count + (ids != before)


bug_ready_to_distil.probe(
    "how many things the check has changed",
    measure=_changes,
    points_to="model-handed-back-changed",
    expected="a check that looks and changes nothing",
)

for _part, _id, _seen, _expected in (
    (0, "teacher-in-train-mode", "the first result is wrong for some of the teachers",
     "every layer has a mode of its own, and gradients have nothing to do with it"),
    (1, "teacher-gets-gradient", "the second result is wrong for some of the teachers",
     "every parameter is asked, and eval mode has nothing to do with it"),
    (2, "shared-module", "the third result is wrong for some pairs of models",
     "memory is what must not be shared; equal values may be"),
    (3, "same-size-same-tokenizer", "the fourth result is wrong for some pairs of tokenizers",
     "each token has the same id on both sides, in whichever order they are listed"),
):  # fmt: skip

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


def _but(place, result):
    """The right results but for one of them, which is decided in another way."""

    def ready(*everything):
        results = list(bug_ready_to_distil.reference(*everything))
        results[place] = result(*everything)
        return results

    return ready


def _apart(memory):
    """Whether nothing of what `memory` gives for one model's parameters is the other's too."""
    return lambda t, s, *ids: {*map(memory, t.parameters())}.isdisjoint(map(memory, s.parameters()))


def _pairs(teacher, student):
    return zip(teacher.parameters(), student.parameters())


def _equal_values(teacher, student, *ids):
    values = [p.tolist() for p in teacher.parameters()]
    return any(p.tolist() in values for p in student.parameters())


bug_ready_to_distil.mistakes(
    ("teacher-in-train-mode",
     "only the outermost module's mode is read; a dropout layer inside goes unnoticed",
     "layers keep their own modes, and each can differ", _but(0, lambda t, *_: not t.training)),
    ("teacher-gets-gradient",
     "eval mode is taken for frozen: a teacher in eval mode may still ask for gradients",
     "a question to the parameters, not to the mode", _but(1, lambda t, *_: not t.training)),
    ("teacher-gets-gradient", "only the first parameter is asked", "all parameters are asked",
     _but(1, lambda t, *_: not next(t.parameters()).requires_grad)),
    ("shared-module", "only the whole models are compared; a layer in common goes unnoticed",
     "no single parameter in common", _but(2, lambda t, s, *_: t is not s)),
    ("shared-module",
     "parameter objects are compared; a new object around the teacher's numbers goes unnoticed",
     "the memory below the objects is compared", _but(2, _apart(id))),
    ("shared-module",
     "each parameter is compared with the one in its own place; a layer in common elsewhere passes",
     "every parameter of one model against all of the other",
     _but(2, lambda t, s, *_: all(p.data_ptr() != q.data_ptr() for p, q in _pairs(t, s)))),
    ("shared-module", "only the first parameters are compared; a later layer in common passes",
     "all parameters of both models",
     _but(2, lambda t, s, *_: len({p.data_ptr() for p in next(_pairs(t, s))}) == 2)),
    ("shared-module", "values are compared; a student that began as a copy is refused",
     "equal numbers in two places are no sharing", _but(2, lambda *a: not _equal_values(*a))),
    ("same-size-same-tokenizer", "vocabularies of equal size pass, whatever they contain",
     "each token has the same id on both sides", _but(3, lambda t, s, a, b: len(a) == len(b))),
    ("same-size-same-tokenizer", "the same tokens pass also where their ids are permuted",
     "the ids are compared too", _but(3, lambda t, s, a, b: set(a) == set(b))),
    ("sign-flipped", "all four results say the opposite: True where something is wrong",
     "True where all is well",
     lambda *everything: [not fine for fine in bug_ready_to_distil.reference(*everything)]),
)  # fmt: skip
