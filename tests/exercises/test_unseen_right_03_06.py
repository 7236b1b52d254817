"""Unusual right answers of chapters 3 to 6: other libraries, loops, other types. All must pass."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.special import rel_entr
from torch.distributions import Categorical, kl_divergence
from unseen import Unseen, categoricals

from kdlib.exercises import exercise

unseen = Unseen()


@unseen.right("sequence-cross-entropy")
def cross_entropy_of_what_is_possible(log_p, log_q):
    possible = log_p > -math.inf
    return [-(a[m].exp() @ b[m]) for a, b, m in zip(log_p, log_q, possible)]


@unseen.right("longest-that-fits")
def longest_by_bisection(vocabulary, terms):
    low, high = 0, 400
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if vocabulary**middle <= terms else (low, middle - 1)
    return low


@unseen.right("chain-rule-loss")
def chain_rule_joint(log_p1, log_p2, log_q1, log_q2):
    joint = log_p1.double().exp()[:, None] * log_p2.double().exp()
    other = log_q1.double().exp()[:, None] * log_q2.double().exp()
    return -(joint * other.log()).sum()


@unseen.right("sampled-loss")
def sampled_loss_with_a_plain_error(log_p, log_q):
    losses = log_q.detach().double().numpy()
    return -log_q.mean(), losses.std(ddof=1) / np.sqrt(losses.size)


@unseen.right("sampled-loss")
def sampled_loss_stacked(log_p, log_q):
    return torch.stack([-log_q.mean(), log_q.std() / len(log_q) ** 0.5])


@unseen.right("best-output-loss")
def best_output_lists(log_p, log_q):
    best = [int(row.argmax()) for row in log_p]
    losses = [-row[i] for row, i in zip(log_q, best)]
    return losses, [1 - math.exp(float(row.max())) for row in log_p]


@unseen.right("kl-of-rows")
def kl_scipy(log_p, log_q):
    return rel_entr(log_p.double().exp().numpy(), log_q.double().exp().numpy()).sum(axis=-1)


@unseen.right("two-fits")
def fits_scipy(log_p, log_candidates):
    p, candidates = log_p.exp().numpy(), log_candidates.exp().numpy()
    forward = [rel_entr(p, q).sum() for q in candidates]
    return np.array([np.argmin(forward), np.argmin([rel_entr(q, p).sum() for q in candidates])])


@unseen.right("logit-gradients")
def gradients_of_distributions(log_p, logits):
    logits = logits.clone().requires_grad_()
    p, q = Categorical(logits=log_p), Categorical(logits=logits)
    losses = kl_divergence(p, q).sum(), kl_divergence(q, p).sum()
    return [torch.autograd.grad(loss, logits, retain_graph=True)[0] for loss in losses]


@unseen.right("mixture-divergence")
def mixture_scipy(log_p, log_q, beta):
    p, q = log_p.double().exp().numpy(), log_q.double().exp().numpy()
    m = beta * p + (1 - beta) * q
    return beta * rel_entr(p, m).sum(-1) + (1 - beta) * rel_entr(q, m).sum(-1)


@unseen.right("kl-over-tokens")
def kl_over_tokens_row_by_row(teacher, student, tokens):
    pairs = zip(teacher[:, :tokens], student[:, :tokens])
    return [float(kl_divergence(*categoricals(t, s))) for t, s in pairs]


@unseen.right("combined-objective")
def objective_of_distributions(labels, teacher, student, lambda_):
    p, q = categoricals(teacher, student)
    return q.log_prob(labels).sum() - lambda_ * (p.probs * (p.logits - q.logits)).sum()


@unseen.right("best-student")
def best_student_lists(labels, p, lambda_):
    mixed = labels + lambda_ * p
    return (mixed / mixed.sum(-1, keepdim=True)).tolist()


@unseen.right("combined-gradient")
def gradient_by_backward(labels, teacher, student, lambda_, temperature):
    z = student.clone().double().requires_grad_()
    kd = F.kl_div(
        F.log_softmax(z / temperature, -1),
        F.log_softmax(teacher.double() / temperature, -1),
        log_target=True,
        reduction="sum",
    )
    truth = F.cross_entropy(z, labels.double(), reduction="sum")
    (truth + lambda_ * temperature**2 * kd).backward()
    return z.grad


@unseen.right("choose-lambda")
def choose_lambda_numpy(lambdas, losses):
    losses = losses.double().numpy()
    means = losses.mean(1)
    best = means.argmin()
    bar = means[best] + losses[best].std(ddof=1) / math.sqrt(losses.shape[1])
    return sorted(x for x, mean in zip(lambdas, means) if mean <= bar)[0]


@unseen.right("choose-lambda")
def choose_lambda_with_numpys_own_deviation(lambdas, losses):
    losses = losses.numpy()
    best = losses.mean(1).argmin()
    bar = losses[best].mean() + losses[best].std() / np.sqrt(losses.shape[1])
    return float(np.array(lambdas)[losses.mean(1) <= bar].min())


@unseen.right("noisy-labels")
def noisy_labels_by_matrix(p, rate):
    words = p.shape[-1]
    return p @ torch.full((words, words), rate / (words - 1)).fill_diagonal_(1 - rate)


@unseen.right("student-under-noise")
def student_under_noise_numpy(true, given, p, teacher, lambda_):
    words = len(p)
    counts = np.zeros((words, words))
    np.add.at(counts, (np.asarray(true), np.asarray(given)), 1)
    empty = counts.sum(1) == 0
    counts[empty, empty] = 1
    matrix = counts / counts.sum(1, keepdims=True)
    alpha = lambda_ / (1 + lambda_)
    return matrix, (1 - alpha) * (p.numpy() @ matrix) + alpha * teacher.numpy()


@unseen.right("first-step")
def first_step_in_a_loop(checked, labels, teacher):
    terms = [1 - teacher[i, y].item() / labels[i, y].item() for i, y in enumerate(checked.tolist())]
    return sum(terms) / len(terms)


@unseen.right("first-step")
def first_step_by_backward_in_float32(checked, labels, teacher):
    x = torch.zeros(1, requires_grad=True)
    F.nll_loss(((labels + x * teacher) / (1 + x)).log(), checked).backward()
    return x.grad.item()


@unseen.right("best-lambda")
def best_lambda_scipy(truth, labels, teacher, lambdas):
    truth, labels, teacher = (x.double().numpy() for x in (truth, labels, teacher))
    students = [(labels + x * teacher) / (1 + x) for x in lambdas]
    losses = [rel_entr(truth, student).sum(1).mean() for student in students]
    return np.array(losses), lambdas[int(np.argmin(losses))]


@unseen.right("combined-objective")
def objective_by_distributions_in_float32(labels, teacher, student, lambda_):
    p, q = Categorical(logits=teacher), Categorical(logits=student)
    return (q.log_prob(labels) - lambda_ * kl_divergence(p, q)).sum()


@unseen.right("combined-gradient")
def gradient_by_distributions_in_float32(labels, teacher, student, lambda_, temperature):
    z = student.clone().requires_grad_()
    kd = kl_divergence(
        Categorical(logits=teacher / temperature), Categorical(logits=z / temperature)
    )
    loss = F.cross_entropy(z, labels, reduction="sum") + lambda_ * temperature**2 * kd.sum()
    return torch.autograd.grad(loss, z)[0]


@pytest.mark.parametrize(
    ("id", "answer"), unseen.answers, ids=[f.__name__ for _, f in unseen.answers]
)
def test_unusual_right_answers_pass(id, answer):
    verdict = exercise(id).check(answer)
    assert verdict, verdict
