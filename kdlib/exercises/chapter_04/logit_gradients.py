"""The gradients of both directions, in the logits."""

import torch
import torch.nn.functional as F

from kdlib.exercises.authoring.floors import UNLIKELY
from kdlib.exercises.authoring.inputs import log_distributions, normal
from kdlib.exercises.authoring.switches import name_switches
from kdlib.exercises.kinds.functions import code
from kdlib.losses.divergences import forward_kl, reverse_kl


@code(
    source=("Q21", "Q23"),
    difficulty=4,
    minutes=12,
    prompt=(
        "Write `logit_gradients(log_p, student_logits)`: for rows (B, V), the gradients with "
        "respect to the student's logits of KL(P||Q) and of KL(Q||P), as a pair of tensors (B, V). "
        "Each row is a loss of its own. A formula or autograd, as you like."
    ),
    hints=(
        "With autograd: sum the row losses, so that no row is scaled.",
        "Forward: the teacher's weights are constants. Reverse: the weights move with the logits.",
        "Q - P; and Q times (log-ratio of Q to P, minus its average under Q, which is KL(Q||P)).",
    ),
    explanation=(
        "Cross-entropy has the first gradient too, as the teacher's entropy is constant. Forward, "
        "a word that Q neglects is pushed by P; reverse, every push carries the factor Q, so what "
        "Q has given up is hardly ever recovered."
    ),
)
def logit_gradients(log_p, student_logits):
    """Gradients of KL(P||Q) and of KL(Q||P) in the student's logits. (B, V), (B, V) -> a pair"""
    log_q = torch.log_softmax(student_logits, dim=-1)
    p, q, ratio = log_p.exp(), log_q.exp(), log_q - log_p
    return q - p, q * (ratio - (q * ratio).sum(dim=-1, keepdim=True))


def _logit_pair(rows: int, words: int, seed: int):
    return log_distributions(rows, words, seed=seed), normal(rows, words, seed=seed + 500) + 1.5


logit_gradients.probe("three rows, five words", *_logit_pair(3, 5, seed=441))
logit_gradients.probe("two rows, seven words", *_logit_pair(2, 7, seed=442))
logit_gradients.probe("one row", *_logit_pair(1, 4, seed=443))
logit_gradients.probe("five rows, three words", *_logit_pair(5, 3, seed=444))
logit_gradients.probe("a perfect student", *2 * _logit_pair(4, 6, seed=445)[:1])
logit_gradients.probe(
    "a word of probability 1e-26",
    torch.tensor([[UNLIKELY, 0.0], [0.0, UNLIKELY]]),
    torch.tensor([[1.0, 2.0], [0.5, 0.0]]),
    points_to="floor-in-logarithm",
    expected="log-ratios as they are, however small the probability",
)


@logit_gradients.also
def logit_gradients_autograd(log_p, student_logits):
    gradients = []
    for divergence in (forward_kl, reverse_kl):
        z = student_logits.clone().requires_grad_()
        divergence(log_p, torch.log_softmax(z, dim=-1)).sum().backward()
        gradients.append(z.grad)
    return gradients


def _forward(p, q, ratio):
    return q - p


def _reverse(p, q, ratio):
    return q * (ratio - (q * ratio).sum(dim=-1, keepdim=True))


def _gradients(first=_forward, second=_reverse, size=lambda p: 1, sign=1):
    """The pair with another formula (p, q, log q - log p) for one of the two, or scaled."""

    def answer(log_p, student_logits):
        log_q = torch.log_softmax(student_logits, dim=-1)
        p, q, ratio = log_p.exp(), log_q.exp(), log_q - log_p
        return tuple(sign * f(p, q, ratio) / size(p) for f in (first, second))

    return answer


name_switches(
    logit_gradients, _gradients,
    ("kl-reversed", "the two gradients are exchanged",
     "first the divergence that the teacher weighs", {"first": _reverse, "second": _forward}),
    ("kl-reversed", "both gradients are the first one",
     "a second gradient that knows about the other direction", {"second": _forward}),
    ("kl-reversed", "both gradients are the second one",
     "a first gradient with the teacher's weights", {"first": _reverse}),
    ("hard-for-soft",
     "the first gradient is that of a label: only the teacher's first choice counts",
     "every word of the teacher counts",
     {"first": lambda p, q, ratio: q - F.one_hot(p.argmax(dim=-1), p.shape[-1])}),
    ("term-left-out",
     "the second gradient does not sum to 0 in each row: nothing is subtracted from the ratio",
     "adding a constant to all logits changes no loss, so each gradient sums to 0",
     {"second": lambda p, q, ratio: q * ratio}),
    ("ce-called-kl",
     "the second gradient is that of a cross-entropy: the student's entropy moves too",
     "both parts of the divergence change with the student",
     {"second": lambda p, q, ratio: _reverse(p, q, -p.log())}),
    ("entropy-for-cross-entropy", "the second gradient is that of the student's entropy alone",
     "a part in which the teacher occurs", {"second": lambda p, q, ratio: _reverse(p, q, q.log())}),
    ("student-gets-no-gradient",
     "the second gradient is 0 everywhere, as if the student's weights were constants",
     "the weights of the second divergence depend on the logits",
     {"second": lambda p, q, ratio: torch.zeros_like(q)}),
    ("gradient-in-probabilities",
     "the gradients are those in the student's probabilities; they do not vanish at P = Q",
     "gradients in the logits, through the softmax",
     {"first": lambda p, q, ratio: -p / q, "second": lambda p, q, ratio: ratio + 1}),
    ("gradient-in-probabilities", "the gradients are those in the student's log-probabilities",
     "gradients in the logits: log-softmax has a normaliser, which moves as well",
     {"first": lambda p, q, ratio: -p, "second": lambda p, q, ratio: q * (ratio + 1)}),
    ("gradient-in-probabilities",
     "the first gradient alone is that in the student's log-probabilities",
     "two gradients in the same variable, the logits", {"first": lambda p, q, ratio: -p}),
    ("gradient-in-probabilities", "the second gradient is that in the student's log-probabilities",
     "both gradients in the logits", {"second": lambda p, q, ratio: q * (ratio + 1)}),
    ("mean-for-sum", "the gradients are divided by the number of rows", "each row's own gradient",
     {"size": len}),
    ("mean-over-vocab", "the gradients are divided by the number of all entries",
     "a loss that sums over the words", {"size": torch.numel}),
    ("sign-flipped", "the gradients point downhill: they are the pushes",
     "gradients, in whose direction the losses grow", {"sign": -1}),
    ("sign-flipped", "the first gradient points downhill",
     "a gradient, in whose direction its loss grows", {"first": lambda p, q, ratio: p - q}),
    ("sign-flipped", "the second gradient points downhill",
     "a gradient in whose direction the second loss grows",
     {"second": lambda p, q, ratio: -_reverse(p, q, ratio)}),
)  # fmt: skip
