"""One step of compressing a context into a soft prompt."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kdlib.exercises.authoring.floors import no_floor
from kdlib.exercises.authoring.inputs import normal
from kdlib.exercises.authoring.kl import kl_of_logs
from kdlib.exercises.authoring.left_behind import LOOKS, changed, holders_of, modes_of
from kdlib.exercises.authoring.lookalikes import kl_switches, name_lookalikes
from kdlib.exercises.authoring.switches import name_switches
from kdlib.exercises.kinds.functions import code


@code(
    source=("Q29",),
    difficulty=4,
    minutes=15,
    prompt=(
        "A long context is to be compressed into a soft prompt: k vectors of real numbers, which "
        "need not be the vectors of any words. Write `soft_prompt_step(model, context, user, "
        "soft, rate)`: the soft prompt after one step of gradient descent. The teacher is the "
        "model with the context (C, d) before each user input (B, n, d); the student is the same "
        "model with the soft prompt (k, d) there instead. The loss is the mean over the rows of "
        "the KL from teacher to student. `model(vectors)` takes (B, length, d) and returns logits "
        "(B, V). Leave the model as it was: its parameters and which of them ask for a gradient, "
        "the gradients that it may hold from before, and the mode of each part."
    ),
    hints=(
        "Two calls of one model: what stands before the user's input is all that differs.",
        (
            "The only thing that is trained is the soft prompt: ask for the gradient with respect "
            "to it."
        ),
        (
            "`soft.detach().clone().requires_grad_()`; `torch.cat` of the expanded prompt and "
            "user; `torch.autograd.grad(loss, soft)` fills no one's .grad."
        ),
    ),
    explanation=(
        "Cross-entropy in place of KL gives the same step: the teacher's entropy has no gradient "
        "in the soft prompt. What the context did now costs k positions instead of C."
    ),
)
def soft_prompt_step(model, context, user, soft, rate):
    """The soft prompt, one step nearer to the answers with the full context. -> (k, d)"""

    def answers(prompt):
        rows = torch.cat([prompt.expand(len(user), -1, -1), user], dim=1)
        return F.log_softmax(model(rows), dim=-1)

    soft = soft.detach().clone().requires_grad_()
    with torch.no_grad():
        log_p = answers(context)
    log_q = answers(soft)
    loss = (log_p.exp() * (log_p - log_q)).sum(dim=-1).mean()
    (gradient,) = torch.autograd.grad(loss, soft)
    return soft.detach() - rate * gradient


class _Reader(nn.Module):
    """Reads vectors in their order and answers with logits."""

    def __init__(self, d: int, words: int, seed: int, sureness: float = 6.0):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.read, self.answer = nn.GRU(d, 8, batch_first=True), nn.Linear(8, words)
        with torch.no_grad():
            self.answer.weight.mul_(sureness)  # so that answers differ visibly

    def forward(self, vectors):
        return self.answer(self.read(vectors)[0][:, -1])


def _mixed(mode: bool):
    """A model in a mode, of which one part is in the other, and one is frozen."""
    model = _Reader(3, 5, 4).train(mode)
    model.answer.train(not mode)
    model.read.requires_grad_(False)
    return model


def _compression(
    rows: int, user: int, long: int, short: int, d: int, seed: int
) -> tuple[Tensor, ...]:
    shapes = (long, d), (rows, user, d), (short, d)
    return tuple(normal(*shape, seed=seed + i) for i, shape in enumerate(shapes))


soft_prompt_step.probe(
    "a soft prompt of 2", _Reader(3, 6, 1), *_compression(4, 2, 7, 2, 3, 60), 2.0
)
soft_prompt_step.probe(
    "a soft prompt of 1", _Reader(5, 4, 2), *_compression(3, 1, 6, 1, 5, 65), 0.5
)
soft_prompt_step.probe(
    "a soft prompt of 3", _Reader(4, 7, 3), *_compression(2, 3, 5, 3, 4, 70), 1.0
)
_FRESH = "parameters of the model with a new gradient"
soft_prompt_step.probe(
    _FRESH,
    *(_Reader(3, 5, 4), *_compression(3, 2, 6, 2, 3, 75), 1.5),
    measure=changed(holders_of, used=False),
    points_to="teacher-gets-gradient",
    expected="a model with the gradients that it had before",
)
for _name, _look, _trains in (
    *((about, look, True) for about, look in LOOKS.items()),
    ("parts of a model in eval mode that are in another", modes_of, False),
):
    soft_prompt_step.probe(
        _name,
        *(_mixed(_trains), *_compression(3, 2, 6, 2, 3, 75), 1.5),
        measure=changed(_look),
        points_to="model-handed-back-changed",
        expected="none: the model is left as it was",
    )
no_floor(
    soft_prompt_step,
    *(_Reader(3, 4, 7, sureness=150.0), *_compression(2, 1, 6, 2, 3, 108), 0.01),
    name="models that are very sure",
)


@soft_prompt_step.symptom(
    "teacher-gets-gradient",
    seen="the model's parameters have collected gradients",
    expected="a gradient for the soft prompt alone",
)
def _(results):
    return results[_FRESH] > 0 and results["parameters that have moved"] == 0


@soft_prompt_step.also
def soft_prompt_step_by_cross_entropy(model, context, user, soft, rate):
    rows, asked = len(user), [p for p in model.parameters() if p.requires_grad]
    model.requires_grad_(False)
    target = model(torch.cat([torch.stack([context] * rows), user], 1)).softmax(-1)
    soft = torch.nn.Parameter(soft.clone())
    logits = model(torch.cat([torch.stack([soft] * rows), user], 1))
    F.cross_entropy(logits, target).backward()
    [p.requires_grad_(True) for p in asked]
    return soft.data - rate * soft.grad


def _before(prompt: Tensor, user: Tensor) -> Tensor:
    return torch.cat([prompt.expand(len(user), -1, -1), user], dim=1)


def _step(
    kl=kl_of_logs,
    reduce=torch.mean,
    downhill=1.0,
    teacher=lambda context, user: _before(context, user),
    student=lambda soft, context, user: _before(soft, user),
):
    """The step with one thing changed: the loss, or what teacher or student reads."""

    def answer(model, context, user, soft, rate):
        soft = soft.detach().clone().requires_grad_()
        with torch.no_grad():
            log_p = model(teacher(context, user)).log_softmax(dim=-1)
        loss = reduce(kl(log_p, model(student(soft, context, user)).log_softmax(dim=-1)))
        return soft.detach() - downhill * rate * torch.autograd.grad(loss, soft)[0]

    return answer


def _behind(prompt: Tensor, user: Tensor) -> Tensor:
    return _before(prompt, user).roll(-len(prompt), dims=1)


def _by_backward(model, context, user, soft, rate, train_all=False):
    soft = nn.Parameter(soft.clone())
    target = model(_before(context, user)).detach().softmax(dim=-1)
    F.cross_entropy(model(_before(soft, user)), target).backward()
    for trained in (soft, *(model.parameters() if train_all else ())):
        trained.data -= rate * trained.grad
    return soft


soft_prompt_step.mistakes(
    ("teacher-trained", "the model's parameters have moved",
     "a frozen model: only the soft prompt is trained",
     lambda *a: _by_backward(*a, train_all=True)),
    ("teacher-gets-gradient",
     "the model's parameters have collected gradients, which nobody asked for",
     "a gradient for the soft prompt alone", _by_backward),
    ("student-gets-no-gradient", "the soft prompt comes back as it was: no gradient has reached it",
     "two models that read different prompts, and a path from the loss to the soft one",
     lambda model, context, user, soft, rate: soft),
)  # fmt: skip
name_switches(
    soft_prompt_step, _step,
    ("argmax-sign", "the step goes uphill: the loss is larger after it",
     "a step that makes the loss smaller", {"downhill": -1.0}),
    ("simple-input-for-teacher",
     "the teacher does not read the context, so there is nothing to compress",
     "a teacher that reads the full context and the user's input",
     {"teacher": lambda context, user: user}),
    ("user-input-dropped", "the student reads its soft prompt without the user's input",
     "both models are asked the same thing",
     {"student": lambda soft, context, user: soft.expand(len(user), -1, -1)}),
    ("user-input-dropped", "the teacher reads the context without the user's input",
     "the same question for both models",
     {"teacher": lambda context, user: context.expand(len(user), -1, -1)}),
    ("full-input-for-student", "the student still reads the long context, before its soft prompt",
     "a student that does without what was compressed",
     {"student": lambda soft, context, user: _before(torch.cat([context, soft]), user)}),
    ("full-input-for-student", "the student still reads the long context, behind its soft prompt",
     "a student that reads the soft prompt and the user's input alone",
     {"student": lambda soft, context, user: _before(torch.cat([soft, context]), user)}),
    ("prompt-after-input", "the soft prompt stands behind the user's input",
     "a soft prompt in the place where the context was",
     {"student": lambda soft, context, user: _behind(soft, user)}),
    ("prompt-after-input", "the context stands behind the user's input",
     "what instructs the teacher comes first", {"teacher": _behind}),
    ("prompt-after-input", "context and soft prompt both stand behind the user's input",
     "what instructs the model comes first, for teacher and student",
     {"teacher": _behind, "student": lambda soft, context, user: _behind(soft, user)}),
    *kl_switches("ce-called-kl"),
    ("sum-for-mean", "the step grows with the number of rows", "a mean over the rows",
     {"reduce": torch.sum}),
)  # fmt: skip
name_lookalikes(soft_prompt_step, lambda kl: _step(kl=kl))
