"""One loss of two models: inputs, modes and gradients in their places."""

import torch
import torch.nn.functional as F

from kdlib.exercises.authoring.inputs import normal, two_models
from kdlib.exercises.authoring.lookalikes import name_lookalikes
from kdlib.exercises.kinds.functions import code


def _loss_and_gradients(answer, teacher, student, x, x_short):
    """The loss; its pull at the student; whether it pulls at the teacher; whether it is random."""
    loss = answer(teacher, student, x, x_short)
    if not isinstance(loss, torch.Tensor):
        raise TypeError("return the loss as a tensor, so that it has a gradient")
    if loss.requires_grad:
        loss.sum().backward()
    pull = [p.grad.norm() if p.grad is not None else torch.zeros(()) for p in student.parameters()]
    moved = any(p.grad is not None for p in teacher.parameters())
    torch.manual_seed(1)  # a second call meets other dropout, if there is any
    again = answer(teacher.train(), student, x, x_short)
    return loss, torch.stack(pull), moved, not torch.allclose(loss, again)


@code(
    source=("Q02",),
    difficulty=4,
    minutes=12,
    prompt=(
        "Write `distillation_step_loss(teacher, student, x, x_short)`: the forward KL from the "
        "teacher's distribution to the student's, averaged over the rows, as a scalar tensor. Both "
        "models are modules that return logits (B, V); the teacher contains dropout and comes in "
        "training mode. x is the full input, x_short the simplified one. See to it that the "
        "teacher's answer is not random and that only the student can learn."
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


for _seed, _rows in ((51, 4), (52, 7), (53, 3)):
    distillation_step_loss.probe(
        f"{_rows} rows",
        *two_models(6, 5, seed=_seed),
        normal(_rows, 6, seed=_seed + 10, scale=2.0),
        normal(_rows, 6, seed=_seed + 20, scale=2.0),
        measure=_loss_and_gradients,
    )


@distillation_step_loss.symptom(
    "teacher-gets-gradient",
    seen="after backward() the teacher's parameters have gradients",
    expected="nothing flows into the teacher",
)
def _(results):
    return any(result[2] for result in results.values())


@distillation_step_loss.symptom(
    "student-gets-no-gradient",
    seen="after backward() the student's parameters have no gradients, though the loss is not 0",
    expected="the student is the one that learns",
)
def _(results):
    return all(float(r[1].max()) == 0 and abs(float(r[0])) > 1e-6 for r in results.values())


@distillation_step_loss.symptom(
    "teacher-used-as-student",
    seen="the loss is 0, and no gradient reaches the student",
    expected="a loss that depends on the student",
)
def _(results):
    return all(float(r[1].max()) == 0 and abs(float(r[0])) < 1e-6 for r in results.values())


@distillation_step_loss.symptom(
    "teacher-in-train-mode",
    seen="the teacher answers in training mode: its dropout makes the targets random",
    expected="a teacher that gives the same answer twice",
)
def _(results):
    return all(result[3] for result in results.values())


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


@distillation_step_loss.wrong(
    "full-input-for-student",
    seen="the student's answer depends on the full input",
    expected="the student reads what it will read when it is deployed",
)
def step_on_full_input(teacher, student, x, x_short):
    return distillation_step_loss.reference(teacher, student, x, x)


@distillation_step_loss.wrong(
    "simple-input-for-teacher",
    seen="the teacher's answer does not depend on the full input",
    expected="the teacher reads what it alone gets to read",
)
def step_on_short_input(teacher, student, x, x_short):
    return distillation_step_loss.reference(teacher, student, x_short, x_short)


@distillation_step_loss.wrong(
    "simple-input-for-teacher",
    seen="the two inputs are exchanged",
    expected="the full input for one model, the simplified one for the other: which is which?",
)
def step_exchanged(teacher, student, x, x_short):
    return distillation_step_loss.reference(teacher, student, x_short, x)


@distillation_step_loss.wrong(
    "teacher-gets-gradient",
    seen="after backward() the teacher has gradients, although it is in eval mode",
    expected="eval() is not no_grad(): nothing may flow into the teacher",
)
def step_without_no_grad(teacher, student, x, x_short):
    log_p = torch.log_softmax(teacher.eval()(x), dim=-1)
    log_q = torch.log_softmax(student(x_short), dim=-1)
    return (log_p.exp() * (log_p - log_q)).sum(dim=-1).mean()


@distillation_step_loss.wrong(
    "teacher-in-train-mode",
    seen="the teacher is still in training mode: dropout makes its targets random",
    expected="the teacher gives the same answer when asked twice",
)
def step_with_dropout(teacher, student, x, x_short):
    with torch.no_grad():
        log_p = torch.log_softmax(teacher(x), dim=-1)
    log_q = torch.log_softmax(student(x_short), dim=-1)
    return (log_p.exp() * (log_p - log_q)).sum(dim=-1).mean()


@distillation_step_loss.wrong(
    "student-gets-no-gradient",
    seen="the student is inside the block that protects the teacher",
    expected="a loss from which a gradient reaches the student",
)
def step_all_protected(teacher, student, x, x_short):
    with torch.no_grad():
        return distillation_step_loss.reference(teacher, student, x, x_short)


@distillation_step_loss.wrong(
    "teacher-used-as-student",
    seen="the loss is always 0",
    expected="the second distribution is the student's",
)
def step_teacher_twice(teacher, student, x, x_short):
    return distillation_step_loss.reference(teacher, teacher, x, x)


@distillation_step_loss.wrong(
    "kl-reversed",
    seen="the log-ratios are weighed with the student's probabilities",
    expected="the KL from the teacher: its probabilities are the weights",
)
def step_reversed(teacher, student, x, x_short):
    log_p, log_q = _answers(teacher, student, x, x_short)
    return (log_q.exp() * (log_q - log_p)).sum(dim=-1).mean()


@distillation_step_loss.wrong(
    "ce-called-kl",
    seen="the loss is too large by the teacher's entropy; its gradient is right",
    expected="a loss that is 0 when both models answer alike",
)
def step_cross_entropy(teacher, student, x, x_short):
    log_p, log_q = _answers(teacher, student, x, x_short)
    return -(log_p.exp() * log_q).sum(dim=-1).mean()


@distillation_step_loss.wrong(
    "hard-for-soft",
    seen="only the teacher's first choice enters the loss",
    expected="the teacher's whole distribution enters",
)
def step_hard(teacher, student, x, x_short):
    log_p, log_q = _answers(teacher, student, x, x_short)
    return F.nll_loss(log_q, log_p.argmax(dim=-1))


@distillation_step_loss.wrong(
    "probs-for-log-probs",
    seen="the loss is negative: the student's probabilities stand where logarithms are expected",
    expected="a loss of at least 0",
)
def step_of_probabilities(teacher, student, x, x_short):
    log_p, log_q = _answers(teacher, student, x, x_short)
    return (log_p.exp() * (log_p - log_q.exp())).sum(dim=-1).mean()


@distillation_step_loss.wrong(
    "logits-for-probabilities",
    seen="the logits themselves are compared, by their squared distance",
    expected="a comparison of the distributions",
)
def step_squared(teacher, student, x, x_short):
    teacher.eval()
    with torch.no_grad():
        target = teacher(x)
    return F.mse_loss(student(x_short), target)


@distillation_step_loss.wrong(
    "mean-over-vocab",
    seen="the loss is divided by the size of the vocabulary as well",
    expected="a sum over the vocabulary, a mean over the rows",
)
def step_mean_of_everything(teacher, student, x, x_short):
    log_p, log_q = _answers(teacher, student, x, x_short)
    return (log_p.exp() * (log_p - log_q)).mean()


@distillation_step_loss.wrong(
    "sum-for-mean",
    seen="the loss grows with the number of rows",
    expected="a mean over the rows",
)
def step_sum(teacher, student, x, x_short):
    log_p, log_q = _answers(teacher, student, x, x_short)
    return (log_p.exp() * (log_p - log_q)).sum()


name_lookalikes(
    distillation_step_loss,
    lambda kl: lambda *models_and_inputs: kl(*_answers(*models_and_inputs)).mean(),
)
