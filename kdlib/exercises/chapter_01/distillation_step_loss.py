"""One loss of two models: inputs, modes and gradients in their places."""

import torch
import torch.nn.functional as F

from kdlib.exercises.authoring.inputs import normal, two_models
from kdlib.exercises.authoring.kl import kl_of_logits, kl_of_logs
from kdlib.exercises.authoring.left_behind import (
    changed,
    flags_of,
    gradients_of,
    holders_of,
    modes_of,
    parameters_of,
)
from kdlib.exercises.authoring.lookalikes import name_lookalikes
from kdlib.exercises.kinds.functions import code


def _loss_and_gradients(answer, teacher, student, x, x_short):
    """The loss; its pull at the student; whether it pulls at the teacher; whether it is random."""
    loss = answer(teacher, student, x, x_short)
    if loss is None:
        return None
    loss = torch.as_tensor(loss)  # a plain number has no gradient
    if loss.requires_grad:
        loss.sum().backward()
    pull = [p.grad.norm() if p.grad is not None else torch.zeros(()) for p in student.parameters()]
    moved = any(p.grad is not None for p in teacher.parameters())
    torch.manual_seed(1)  # a second call meets other dropout, if there is any
    again = torch.as_tensor(answer(teacher.train(), student, x, x_short))
    return loss, torch.stack(pull), moved, not torch.allclose(loss, again)


@code(
    source=("Q02",),
    difficulty=4,
    minutes=12,
    prompt=(
        "Write `distillation_step_loss(teacher, student, x, x_short)`: the forward KL from the "
        "teacher's distribution to the student's, averaged over the rows, as a scalar tensor. Both "
        "models are modules that return logits (B, V) and come in training mode; the teacher "
        "contains dropout. x is the full input, x_short the simplified one. See to it that the "
        "teacher's answer is not random and that only the student can learn. The student's mode, "
        "parameters and gradients stay as they are."
    ),
    hints=(
        "Ask of each model: which input, which mode, and does it need a gradient?",
        "teacher.eval() switches dropout off; it does not switch gradients off.",
        (
            "Compute the teacher's log-softmax on x inside `with torch.no_grad():`, the student's "
            "on x_short outside of it, then sum p * (log p - log q) over the last dimension."
        ),
    ),
    explanation="Only the student's parameters stand under the argmin of the objective.",
)
def distillation_step_loss(teacher, student, x, x_short):
    """Mean over the rows of the KL from the teacher on x to the student on x_short. -> scalar"""
    teacher.eval()
    with torch.no_grad():
        log_p = torch.log_softmax(teacher(x), dim=-1)
    log_q = torch.log_softmax(student(x_short), dim=-1)
    return (log_p.exp() * (log_p - log_q)).sum(dim=-1).mean()


def _inputs(rows, seed, sure=1.0):
    """Two models and two inputs. sure: how many times as far apart the student's logits are."""
    teacher, student = two_models(6, 5, seed=seed)
    with torch.no_grad():
        for p in student.parameters():
            p.mul_(sure)
    x, x_short = (normal(rows, 6, seed=seed + plus, scale=2.0) for plus in (10, 20))
    return teacher, student, x, x_short


_STEPS = []
for _seed, _rows in ((51, 4), (52, 7), (53, 3)):
    _STEPS.append(f"{_rows} rows")
    distillation_step_loss.probe(_STEPS[-1], *_inputs(_rows, _seed), measure=_loss_and_gradients)
_CHANGES = "changes of the student"
distillation_step_loss.probe(
    _CHANGES,
    *_inputs(2, 54),
    measure=changed(parameters_of, gradients_of, holders_of, flags_of, modes_of, place=1),
    points_to="model-handed-back-changed",
    expected="a student in its old mode, with its old parameters and gradients",
)
distillation_step_loss.probe(
    "a student that is sure of itself",
    *_inputs(4, 55, sure=12.0),
    points_to="floor-in-logarithm",
    expected="the logarithm as it is, however small the probability",
)


def _steps(results):
    return [results[name] for name in _STEPS]


@distillation_step_loss.symptom(
    "teacher-gets-gradient",
    seen="after backward() the teacher's parameters have gradients",
    expected="nothing flows into the teacher",
)
def _(results):
    return any(result[2] for result in _steps(results))


@distillation_step_loss.symptom(
    "student-gets-no-gradient",
    seen="after backward() the student's parameters have no gradients, though the loss is not 0",
    expected="the student is the one that learns",
)
def _(results):
    return all(float(r[1].max()) == 0 and abs(float(r[0])) > 1e-6 for r in _steps(results))


@distillation_step_loss.symptom(
    "teacher-used-as-student",
    seen="the loss is 0, and no gradient reaches the student",
    expected="a loss that depends on the student",
)
def _(results):
    return all(float(r[1].max()) == 0 and abs(float(r[0])) < 1e-6 for r in _steps(results))


@distillation_step_loss.symptom(
    "teacher-in-train-mode",
    seen="the teacher answers in training mode: its dropout makes the targets random",
    expected="a teacher that gives the same answer twice",
)
def _(results):
    return results[_CHANGES] == 0 and all(result[3] for result in _steps(results))


@distillation_step_loss.symptom(
    "model-handed-back-changed",
    seen="after the call the student's mode, gradients or parameters are not what they were",
    expected="a student in its old mode, with its old parameters and gradients",
)
def _(results):
    return results[_CHANGES] > 0


@distillation_step_loss.also
def distillation_step_loss_torch(teacher, student, x, x_short):
    with torch.inference_mode():
        target = teacher.eval()(x).softmax(-1)
    return F.kl_div(student(x_short).log_softmax(-1), target.clone(), reduction="batchmean")


def _answers(teacher, student, x, x_short):
    teacher.eval()
    with torch.no_grad():
        log_p = torch.log_softmax(teacher(x), dim=-1)
    return log_p, torch.log_softmax(student(x_short), dim=-1)


def _step(loss):
    """A step's answer, with another loss of the two models' log-probabilities."""
    return lambda *models_and_inputs: loss(*_answers(*models_and_inputs))


@distillation_step_loss.wrong(
    "teacher-in-train-mode",
    seen="the teacher is still in training mode: dropout makes its targets random",
    expected="the teacher gives the same answer when asked twice",
)
def step_with_dropout(teacher, student, x, x_short):
    with torch.no_grad():
        log_p = torch.log_softmax(teacher(x), dim=-1)
    return kl_of_logs(log_p, torch.log_softmax(student(x_short), dim=-1)).mean()


@distillation_step_loss.wrong(
    "floor-in-logarithm",
    seen="a student that is nearly sure of a wrong word is charged too little",
    expected="the logarithm of the student's probability, with nothing added to it",
)
def step_with_a_floor(teacher, student, x, x_short):
    log_p, log_q = _answers(teacher, student, x, x_short)
    return kl_of_logs(log_p, (log_q.exp() + 1e-8).log()).mean()


distillation_step_loss.mistakes(
    ("full-input-for-student", "the student's answer depends on the full input",
     "the student reads what it will read when it is deployed",
     lambda teacher, student, x, short: distillation_step_loss.reference(teacher, student, x, x)),
    ("simple-input-for-teacher", "the teacher's answer does not depend on the full input",
     "the teacher reads what it alone gets to read",
     lambda t, s, x, short: distillation_step_loss.reference(t, s, short, short)),
    ("simple-input-for-teacher", "the two inputs are exchanged",
     "the full input for one model, the simplified one for the other: which is which?",
     lambda t, s, x, short: distillation_step_loss.reference(t, s, short, x)),
    ("teacher-gets-gradient",
     "after backward() the teacher has gradients, although it is in eval mode",
     "eval() is not no_grad(): nothing may flow into the teacher",
     lambda teacher, student, x, short: kl_of_logits(teacher.eval()(x), student(short)).mean()),
    ("student-gets-no-gradient", "the loss is right, but no gradient flows from it to the student",
     "a loss from which a gradient reaches the student",
     torch.no_grad()(distillation_step_loss.reference)),
    ("teacher-used-as-student", "the loss is always 0", "the second distribution is the student's",
     lambda teacher, student, x, short: distillation_step_loss.reference(teacher, teacher, x, x)),
    ("kl-reversed", "the log-ratios are weighed with the student's probabilities",
     "the KL from the teacher: its probabilities are the weights",
     _step(lambda log_p, log_q: kl_of_logs(log_q, log_p).mean())),
    ("ce-called-kl", "the loss is too large by the teacher's entropy; its gradient is right",
     "a loss that is 0 when both models answer alike",
     _step(lambda log_p, log_q: -(log_p.exp() * log_q).sum(dim=-1).mean())),
    ("hard-for-soft", "only the teacher's first choice enters the loss",
     "the teacher's whole distribution enters",
     _step(lambda log_p, log_q: F.nll_loss(log_q, log_p.argmax(dim=-1)))),
    ("probs-for-log-probs",
     "the loss is negative: the student's probabilities stand where logarithms are expected",
     "a loss of at least 0", _step(lambda log_p, log_q: kl_of_logs(log_p, log_q.exp()).mean())),
    ("logits-for-probabilities", "the logits themselves are compared, by their squared distance",
     "a comparison of the distributions",
     lambda t, s, x, short: F.mse_loss(s(short), t.eval()(x).detach())),
    ("mean-over-vocab", "the loss is divided by the size of the vocabulary as well",
     "a sum over the vocabulary, a mean over the rows",
     _step(lambda log_p, log_q: (log_p.exp() * (log_p - log_q)).mean())),
    ("sum-for-mean", "the loss grows with the number of rows", "a mean over the rows",
     _step(lambda log_p, log_q: kl_of_logs(log_p, log_q).sum())),
)  # fmt: skip
name_lookalikes(distillation_step_loss, lambda kl: _step(lambda *logs: kl(*logs).mean()))
