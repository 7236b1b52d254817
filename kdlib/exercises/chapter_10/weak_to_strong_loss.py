"""A strong student, a weak teacher and a few labels."""

import torch
import torch.nn.functional as F

from kdlib.exercises.authoring.floors import UNLIKELY, no_floor
from kdlib.exercises.authoring.gradients import gradient_in, trains_the_student
from kdlib.exercises.authoring.inputs import logit_pair
from kdlib.exercises.authoring.kl import kl_of_logits, kl_of_logs
from kdlib.exercises.authoring.lookalikes import kl_switches, name_lookalikes
from kdlib.exercises.authoring.switches import name_switches
from kdlib.exercises.kinds.functions import code


@code(
    source=("Q28",),
    difficulty=3,
    minutes=12,
    prompt=(
        "A small, weak model supervises a large, strong one. Write "
        "`weak_to_strong_loss(weak_logits, strong_logits, labels, lambda_)`: the combined "
        "objective of chapter 5, summed over the rows and turned round so that it is minimised, as "
        "a tensor that the strong model can learn from. lambda_ weighs the distillation term only. "
        "Logits have shape (N, V). People have labelled only some of the rows: labels (N,) holds "
        "-1 for the others, which the weak model has answered all the same. The weak model is not "
        "trained."
    ),
    hints=(
        "Which term needs a label, and which needs only the weak model?",
        "A sum over the labelled rows, plus lambda_ times a sum over all rows.",
        (
            "`F.cross_entropy(..., ignore_index=-1, reduction='sum')`, and the KL from the weak "
            "model, whose logits are detached, to the strong one."
        ),
    ),
    explanation=(
        "Where a label and the weak model disagree, the sum of both terms leaves room for the "
        "truth; the distillation term alone has its minimum at a copy of the weak model."
    ),
)
def weak_to_strong_loss(weak_logits, strong_logits, labels, lambda_):
    """The combined loss over labelled and unlabelled rows: smaller is better. -> scalar"""
    log_p = F.log_softmax(weak_logits.detach(), dim=-1)
    log_q = F.log_softmax(strong_logits, dim=-1)
    truth = F.cross_entropy(strong_logits, labels, ignore_index=-1, reduction="sum")
    return truth + lambda_ * (log_p.exp() * (log_p - log_q)).sum()


_in_the_weak = gradient_in(0)


def _reaches_the_weak(*call):
    """1 where a gradient reaches the weak model, 0 where none does."""
    if (gradients := _in_the_weak(*call)) is None:
        return None
    return float(any(gradient.any() for gradient in gradients))


_LABELS = {
    "three of five rows labelled": ([1, -1, 0, 2, -1], 2.0),
    "two of seven rows labelled": ([-1, -1, 3, -1, 0, -1, -1], 0.5),
    "all rows labelled": ([0, 2, 1, 1], 3.0),
    "no row labelled": ([-1, -1, -1], 1.5),
    "lambda 0": ([2, -1, 1, -1, 0, 3], 0.0),
}
for _number, (_about, (_given, _lambda)) in enumerate(_LABELS.items()):
    weak_to_strong_loss.probe(
        _about,
        *logit_pair(len(_given), 4, seed=40 + _number),
        torch.tensor(_given),
        _lambda,
    )
weak_to_strong_loss.probe(
    "where the gradient goes",
    *logit_pair(4, 3, seed=46),
    torch.tensor([0, -1, 2, 1]),
    2.0,
    measure=_reaches_the_weak,
    points_to="teacher-gets-gradient",
    expected="no gradient for the weak model",
)
no_floor(
    weak_to_strong_loss,
    torch.tensor([[0.0, 1.0, 0.5], [1.0, 0.0, 0.0]]),
    torch.tensor([[1.0, UNLIKELY, 0.0], [0.0, 1.0, UNLIKELY]]),
    *(torch.tensor([2, -1]), 0.5),
)
no_floor(
    weak_to_strong_loss,
    torch.tensor([[0.0, 1.0, 0.5], [1.0, 0.0, 0.0]]),
    torch.tensor([[1.0, 0.0, UNLIKELY], [0.0, 1.0, 0.5]]),
    *(torch.tensor([2, -1]), 0.0),
    name="a label of probability 1e-26",
)
trains_the_student(
    weak_to_strong_loss,
    *logit_pair(4, 5, seed=48),
    *(torch.tensor([1, -1, 4, -1]), 2.0),
    measure=gradient_in(1),
)


@weak_to_strong_loss.also
def weak_to_strong_in_loops(weak_logits, strong_logits, labels, lambda_):
    loss = 0.0
    for weak, strong, label in zip(weak_logits.detach(), strong_logits, labels.tolist()):
        p, log_q = weak.softmax(-1), strong.log_softmax(-1)
        loss = loss + lambda_ * (p * (p.log() - log_q)).sum()
        loss = loss - (log_q[label] if label >= 0 else 0)
    return loss


def _weak(
    weights=lambda x: (1, x),
    kl=kl_of_logs,
    index=None,
    matched=lambda labels: labels > -2,
    label_mean=False,
    kl_mean=False,
    turned=False,
):
    """The loss with one thing changed. matched: which rows have a distillation term."""

    def answer(weak, strong, labels, lambda_):
        log_p, log_q = weak.detach().log_softmax(dim=-1), strong.log_softmax(dim=-1)
        log_p, log_q = (log_q, log_p) if turned else (log_p, log_q)
        places = index(labels, weak.shape[-1]) if index else labels
        for_label, for_teacher = weights(lambda_)
        how = "mean" if label_mean else "sum"
        match = kl(log_p, log_q)[matched(labels)]
        match = match.mean() if kl_mean else match.sum()
        return for_label * F.nll_loss(log_q, places, ignore_index=-1, reduction=how) + (
            for_teacher * match
        )

    return answer


def _attached(weak, strong, labels, lambda_):
    truth = F.cross_entropy(strong, labels, ignore_index=-1, reduction="sum")
    return truth + lambda_ * kl_of_logits(weak, strong).sum()


weak_to_strong_loss.mistakes(
    ("teacher-gets-gradient", "the value is right, but a gradient flows into the weak model",
     "a weak model that stays as it is", _attached),
    ("mean-for-sum", "both terms are divided by the number of rows",
     "sums over the rows, as in the objective",
     lambda *a: weak_to_strong_loss.reference(*a) / len(a[2])),
)  # fmt: skip
name_switches(
    weak_to_strong_loss, _weak,
    ("argmax-sign", "the distance to the weak model is subtracted: minimising would make it larger",
     "both terms fall as the strong model gets better", {"weights": lambda x: (1, -x)}),
    ("argmax-sign", "the labels' term has the wrong sign: minimising would make labels unlikely",
     "both terms fall as the strong model improves", {"weights": lambda x: (-1, x)}),
    ("argmax-sign", "this is the objective as it is maximised", "something to be minimised",
     {"weights": lambda x: (-1, -x)}),
    ("lambda-direction", "lambda weighs the labels", "lambda weighs the weak model's part",
     {"weights": lambda x: (x, 1)}),
    ("conventions-mixed",
     "the labels lose weight as lambda grows: that is the convention with two weights",
     "the labels keep the weight 1", {"weights": lambda x: (1 - x, x)}),
    ("conventions-mixed",
     "the weights are made to sum to 1: that is the other convention, converted",
     "the labels keep the weight 1, however large lambda is",
     {"weights": lambda x: (1 / (1 + x), x / (1 + x))}),
    ("argument-ignored", "all lambdas give the same value", "at lambda 0 the labels alone",
     {"weights": lambda x: (1, 1)}),
    ("term-left-out", "the labels have no influence: this is the distillation term alone",
     "what people know enters as well", {"weights": lambda x: (0, x)}),
    ("term-left-out", "the weak model has no influence: this is training on the labels",
     "what the weak model answers enters as well", {"weights": lambda x: (1, 0)}),
    ("larger-taken-for-teacher",
     "the strong model is the teacher here, and the weak one is to learn",
     "the teacher is the one that supervises, whatever its size", {"turned": True}),
    *kl_switches(),
    ("unlabelled-counted",
     "the -1 of an unlabelled row is taken for a word: indexing finds the last one",
     "a row without a label has no label term", {"index": lambda labels, words: labels % words}),
    ("unlabelled-counted", "unlabelled rows are taught the word number 0",
     "no label term where there is no label", {"index": lambda labels, words: labels.clamp(min=0)}),
    ("term-left-out", "unlabelled rows add nothing, although the weak model has answered them",
     "the weak model's answers count in every row", {"matched": lambda labels: labels >= 0}),
    ("term-left-out",
     "labelled rows have no distillation term, although the weak model has answered them too",
     "the weak model's answers count in all rows", {"matched": lambda labels: labels < 0}),
    ("mean-for-sum", "each term is divided by the number of rows that it has",
     "sums, which can be added up over batches", {"label_mean": True, "kl_mean": True}),
    ("mean-for-sum", "the distillation term is a mean over the rows, the labels' term a sum",
     "two sums, so that lambda weighs what it says", {"kl_mean": True}),
    ("mean-for-sum",
     "the labels' term is a mean over the labelled rows, the distillation term a sum",
     "sums of both, so that lambda weighs what it says", {"label_mean": True}),
)  # fmt: skip
name_lookalikes(weak_to_strong_loss, lambda kl: _weak(kl=kl))
