"""Room 6: the student that stood still."""

import copy

import torch
import torch.nn.functional as F
from torch import nn

from kdlib.exercises.authoring import left_behind
from kdlib.exercises.authoring.floors import UNLIKELY, no_floor
from kdlib.exercises.authoring.inputs import normal, two_models
from kdlib.exercises.authoring.kl import kl_of_logs
from kdlib.exercises.authoring.lookalikes import kl_switches
from kdlib.exercises.authoring.switches import name_switches
from kdlib.exercises.chapter_13.showcase import with_code
from kdlib.exercises.judging.values import plain
from kdlib.exercises.kinds.functions import code


def broken_training_step(teacher, student, x, rate):
    log_p = F.log_softmax(teacher(x), dim=-1)
    log_q = F.log_softmax(teacher(x), dim=-1)
    loss = F.kl_div(log_q, log_p.exp(), reduction="batchmean")
    loss.backward()
    with torch.no_grad():
        for p in [*teacher.parameters(), *student.parameters()]:
            if p.grad is not None:
                p -= rate * p.grad
    return loss.item()


@code(
    source=(),
    difficulty=4,
    minutes=12,
    prompt=with_code(
        "After a refactoring the student learns nothing from its teacher. Write "
        "`bug_training_step(teacher, student, x, rate)` without the bugs: one step of plain "
        "gradient descent on the student, for the mean over the rows of the KL from teacher to "
        "student; return the loss from before the step. Both models are modules that give logits "
        "(B, V); the teacher has dropout and comes in training mode, and the student's parameters "
        "may hold old gradients. The teacher's parameters stay as they are, without gradients, and "
        "the student, and each part of it, in the mode that it came in.",
        broken_training_step,
    ),
    hints=(
        "For each model: in which mode, with or without gradient, and who updates it?",
        (
            "Follow the name `student` through the code. What happens to gradients that are there "
            "already?"
        ),
        (
            "teacher.eval(); its output under no_grad; log_q from the student; zero_grad, "
            "backward, and a step of the student's parameters alone, in this order."
        ),
    ),
    explanation="Two assertions catch most of it: the student has moved, the teacher has not.",
)
def bug_training_step(teacher, student, x, rate):
    """One step of the student towards the teacher's answers; the loss from before it. -> number"""
    teacher.eval()
    with torch.no_grad():
        log_p = F.log_softmax(teacher(x), dim=-1)
    student.zero_grad()
    loss = F.kl_div(F.log_softmax(student(x), dim=-1), log_p.exp(), reduction="batchmean")
    loss.backward()
    with torch.no_grad():
        for p in student.parameters():
            p -= rate * p.grad
    return loss.item()


_values = left_behind.parameters_of


def _after_a_step(answer, teacher, student, x, rate):
    """The loss; the student's moves; whether the teacher moved, has gradients, is random."""
    fresh = copy.deepcopy((teacher, student))
    before = [*_values(teacher), *_values(left_behind.with_old_gradients(student))]
    if (loss := answer(teacher, student, x, rate)) is None:
        return None
    after = [*_values(teacher), *_values(student)]
    moves = [new - old for new, old in zip(after, before)]
    kept = len(list(teacher.parameters()))
    torch.manual_seed(1)  # a second call meets other dropout, if there is any
    again = answer(*fresh, x, rate)
    return (
        loss,
        torch.cat([move.flatten() for move in moves[kept:]]),
        any(bool(move.any()) for move in moves[:kept]),
        any(p.grad is not None for p in teacher.parameters()),
        bool(abs(plain(again) - plain(loss)) > 1e-6),
    )


def _sure_of(logits: list[float]):
    """A model that gives these logits for the only input that there is, 0."""
    model = nn.Embedding(1, len(logits))
    model.weight = nn.Parameter(torch.tensor([logits]))
    return model


_STEPS = []
for _seed, _rows, _words, _rate in ((1, 5, 3, 0.5), (2, 3, 6, 2.0), (3, 8, 4, 0.1)):
    _STEPS.append(f"{_rows} rows, {_words} words")
    bug_training_step.probe(
        _STEPS[-1],
        *two_models(4, _words, seed=_seed),
        *(normal(_rows, 4, seed=_seed + 100, scale=2.0), _rate),
        measure=_after_a_step,
    )
for _mode, _trains in (("training", True), ("eval", False)):
    _teacher, _linear = two_models(4, 3, seed=4)
    _student = nn.Sequential(_linear, nn.Identity()).train(_trains)
    _student[1].train(not _trains)  # of its parts, too, each keeps its mode
    bug_training_step.probe(
        f"changes of a student in {_mode} mode, but for one part",
        *(_teacher, _student, normal(3, 4, seed=104), 0.5),
        measure=left_behind.changed(left_behind.flags_of, left_behind.modes_of, place=1),
        points_to="model-handed-back-changed",
        expected="a student that is trained like the one that came in",
    )
no_floor(
    bug_training_step,
    *(_sure_of([0.0, 1.0]), _sure_of([0.0, UNLIKELY]), torch.tensor([0]), 0.5),
)


@bug_training_step.also
def training_step_by_hand(teacher, student, x, rate):
    target = teacher.eval()(x).detach().softmax(-1)
    log_q = student(x).log_softmax(-1)
    loss = (target * (target.log() - log_q)).sum() / len(x)
    parameters = list(student.parameters())
    with torch.no_grad():
        for p, gradient in zip(parameters, torch.autograd.grad(loss, parameters)):
            p -= rate * gradient
    return loss


def _trained(
    kl=kl_of_logs,
    reduce=torch.mean,
    mode=False,
    attached=False,
    who="student",
    clear=True,
    downhill=1.0,
):
    """The step with one thing changed. mode: whether the teacher is in training mode."""

    def answer(teacher, student, x, step):
        teacher.train(mode)
        log_p = F.log_softmax(teacher(x), dim=-1)
        log_p = log_p if attached else log_p.detach()
        log_q = F.log_softmax((teacher if who == "teacher" else student)(x), dim=-1)
        loss = reduce(kl(log_p, log_q))
        models = [student, teacher] if who == "both" else [student]
        parameters = [p for m in models for p in m.parameters()]
        for p in parameters if clear else ():
            p.grad = None
        (downhill * loss).backward()
        for p in (p for p in parameters if p.grad is not None):
            p.data -= step * p.grad
        return loss.item()

    return answer


@bug_training_step.symptom(
    "teacher-used-as-student",
    seen="the loss is 0, and the student has not moved",
    expected="a loss that depends on the student",
)
def _(results):
    steps = [results[name] for name in _STEPS]
    return all(abs(float(r[0])) < 1e-6 and not r[1].any() for r in steps)


for _place, _id, _seen, _expected in (
    (2, "teacher-trained", "the teacher's parameters have moved", "a step of one model only"),
    (3, "teacher-gets-gradient", "the teacher has gradients", "no graph through the teacher"),
    (4, "teacher-in-train-mode",
     "two calls on the same input give different losses: the teacher's dropout is on",
     "a teacher that gives the same answer twice"),
):  # fmt: skip
    bug_training_step.symptom(_id, seen=_seen, expected=_expected)(
        lambda results, place=_place: any(results[name][place] for name in _STEPS)
    )

bug_training_step.wrong(
    "teacher-used-as-student",
    seen="the shown code is unchanged: the student is not asked, and moves by old gradients alone",
    expected="a loss that compares two models, and a step of one of them",
)(broken_training_step)
name_switches(
    bug_training_step, _trained,
    ("teacher-used-as-student", "the teacher is compared with itself: the loss is 0",
     "the second distribution is the student's", {"who": "teacher"}),
    ("teacher-in-train-mode", "the teacher's dropout is on: another call gives another loss",
     "targets that are not random", {"mode": True}),
    ("teacher-trained", "the teacher is updated too, and comes to meet the student",
     "a teacher that stays where it was", {"attached": True, "who": "both"}),
    ("teacher-gets-gradient",
     "after the step the teacher's parameters hold gradients: eval() does not prevent that",
     "a teacher outside of the graph", {"attached": True}),
    ("gradients-not-cleared", "the student's step contains gradients from before",
     "a step that is made of this batch alone", {"clear": False}),
    ("student-gets-no-gradient", "the loss is right, and the student is the same as before",
     "a student that has moved", {"downhill": 0.0}),
    ("argmax-sign", "the student moves away from the teacher", "a step downhill",
     {"downhill": -1.0}),
    *kl_switches(),
    ("sum-for-mean", "the loss grows with the number of rows", "a mean over the rows",
     {"reduce": torch.sum}),
)  # fmt: skip
