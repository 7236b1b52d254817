"""The best lambda, found where the truth is known."""

import math

import numpy as np
import torch

from kdlib.exercises.authoring.inputs import distributions
from kdlib.exercises.authoring.lookalikes import kl_switches, name_lookalikes
from kdlib.exercises.authoring.rules import same_on_ordinary
from kdlib.exercises.authoring.switches import name_switches
from kdlib.exercises.chapter_06.noisy_labels import noisy_labels
from kdlib.exercises.judging.values import part_of
from kdlib.exercises.kinds.functions import code
from kdlib.losses.divergences import forward_kl


@code(
    source=("Q27",),
    difficulty=4,
    minutes=10,
    prompt=(
        "In a toy world the truth is known. Write `best_lambda(truth, labels, teacher, lambdas)`; "
        "the first three are distributions (N, V). For each lambda the student is the optimum of "
        "F6, (labels + lambda teacher) / (1 + lambda). Return a pair: the mean over rows of "
        "KL(truth||student) for each lambda, and the lambda where it is least. The truth may hold "
        "exact zeros."
    ),
    hints=(
        "What a student learns from and what it is judged by are two different things here.",
        "For each lambda: build the student, compare it with the truth, keep one mean.",
        "xlogy(truth, truth) - xlogy(truth, student), summed over words; then the mean over rows.",
    ),
    explanation="Noisy labels cannot make this choice: they prefer the student that copies them.",
)
def best_lambda(truth, labels, teacher, lambdas):
    """Each student's mean distance from the truth, and the best lambda. -> (K,), number"""
    losses = []
    for x in lambdas:
        student = (labels + x * teacher) / (1 + x)
        kl = torch.xlogy(truth, truth) - torch.xlogy(truth, student)
        losses.append(kl.sum(dim=-1).mean())
    losses = torch.stack(losses)
    return losses, lambdas[int(losses.argmin())]


def _world(rows: int, words: int, seed: int, noise: float, bias: float):
    """Truth, noisy labels, and a teacher that is drawn towards a word of its own."""
    truth = distributions(rows, words, seed=seed)
    teacher = (1 - bias) * truth + bias * torch.eye(words)[seed % words]
    return truth, noisy_labels.reference(truth, noise), teacher


best_lambda.probe(
    "noisy labels, good teacher", *_world(5, 4, 51, 0.5, 0.1), [0.5, 0.0, 30.0, 2.0, 8.0]
)
best_lambda.probe("good labels, biased teacher", *_world(3, 6, 52, 0.1, 0.5), [1.0, 4.0, 0.1, 0.0])
best_lambda.probe("both are off", *_world(4, 3, 53, 0.4, 0.35), [3.0, 0.3, 27.0, 1.0, 0.0, 9.0])
best_lambda.probe("one row", *_world(1, 5, 54, 0.3, 0.3), [3.0, 0.25, 1.0])
best_lambda.probe(
    "exact zeros in the truth",
    torch.tensor([[0.0, 1.0, 0.0], [0.5, 0.5, 0.0]]),
    torch.tensor([[0.2, 0.6, 0.2], [0.4, 0.4, 0.2]]),
    torch.tensor([[0.1, 0.8, 0.1], [0.7, 0.2, 0.1]]),
    [0.5, 0.0, 2.0],
    points_to="zero-log-zero",
    expected="0 log 0 counts as 0",
)
best_lambda.probe(
    "labels that rule out what is true",
    torch.tensor([[0.75, 0.25, 0.0], [0.5, 0.25, 0.25]]),
    torch.eye(3)[[0, 2]],
    torch.tensor([[0.5, 0.25, 0.25], [0.25, 0.5, 0.25]]),
    [0.0, 3.0, 1.0],
    points_to="floor-in-logarithm",
    expected="infinity for a student that rules out what is true",
)


@best_lambda.symptom(
    "zero-log-zero",
    seen="right, but NaN where probabilities are exactly 0",
    expected="0 log 0 counts as 0, and a student that rules out what is true has an infinite KL",
)
def _(results):
    with_zeros = [results[probe.name] for probe in best_lambda.probes if probe.points_to]
    broken = any(np.isnan(np.asarray(part_of(x, 0), dtype=float)).any() for x in with_zeros)
    right, _ = best_lambda.known
    return broken and same_on_ordinary(best_lambda, results, right)


@best_lambda.also
def best_lambda_broadcast(truth, labels, teacher, lambdas):
    w = torch.tensor([x / (1 + x) for x in lambdas])[:, None, None]
    ratio = torch.where(truth > 0, truth / torch.lerp(labels, teacher, w), 1.0)
    losses = (truth * ratio.log()).sum(dim=-1).mean(dim=-1)
    return losses.tolist(), min(zip(losses.tolist(), lambdas))[1]


def _search(
    judge=lambda truth, labels, teacher: truth,
    kl=forward_kl,
    student=lambda y, p, x: (y + x * p) / (1 + x),
    reduce=torch.mean,
    place=torch.argmin,
    pick=lambda lambdas, place: lambdas[place],
):
    """The search with one thing changed: what students are judged by, what they are, or the end."""

    def answer(truth, labels, teacher, lambdas):
        judged_by = judge(truth, labels, teacher).log()
        students = [student(labels, teacher, x).log() for x in lambdas]
        losses = torch.stack([reduce(kl(judged_by, log_q)) for log_q in students])
        return losses, pick(lambdas, int(place(losses)))

    return answer


name_switches(
    best_lambda, _search,
    ("validated-on-noise",
     "students are judged by the noisy labels, which prefer the one that copies them",
     "students judged by what they should be near to",
     {"judge": lambda truth, labels, teacher: labels}),
    ("teacher-taken-for-truth",
     "students are judged by the teacher, so that the largest lambda always wins",
     "a judge that does not take part in the training",
     {"judge": lambda truth, labels, teacher: teacher}),
    *kl_switches(p="truth"),
    ("top-1-for-match", "only the students' first choices are judged",
     "a distance between whole distributions",
     {"kl": lambda log_p, log_q: (log_q.argmax(-1) != log_p.argmax(-1)).float()}),
    ("nats-for-bits", "the distances are in bits", "natural logarithms",
     {"kl": lambda log_p, log_q: forward_kl(log_p, log_q) / math.log(2)}),
    ("lambda-direction", "the larger lambda, the more the student copies the labels",
     "students that come nearer to the teacher as lambda grows",
     {"student": lambda y, p, x: (x * y + p) / (1 + x)}),
    ("conventions-mixed",
     "lambda is used as a share: above 1 the students have negative probabilities",
     "F6's coefficient, which has no upper bound",
     {"student": lambda y, p, x: (1 - x) * y + x * p}),
    ("rest-not-renormalised",
     "the students' rows sum to more than 1, which makes the distances too small",
     "students that are distributions", {"student": lambda y, p, x: y + x * p}),
    ("sum-for-mean", "the distances grow with the number of rows", "a mean over the rows",
     {"reduce": torch.sum}),
    ("argmax-sign", "the distances are right, and the lambda with the largest is returned",
     "the lambda whose student is nearest", {"place": torch.argmax}),
    ("index-for-value", "the distances are right, with a position in the list instead of a lambda",
     "one of the lambdas", {"pick": lambda lambdas, place: place}),
    ("order-assumed", "the distances are right, and the first lambda of the list is returned",
     "the lambda whose student is nearest, wherever it stands",
     {"pick": lambda lambdas, place: lambdas[0]}),
    ("order-assumed", "the distances are right, and the last lambda of the list is returned",
     "the lambda whose student is nearest, in whichever order they come",
     {"pick": lambda lambdas, place: lambdas[-1]}),
)  # fmt: skip
name_lookalikes(best_lambda, lambda kl: _search(kl=kl), p="truth")
