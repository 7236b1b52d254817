"""Unusual right answers of chapters 1 and 2: other libraries, loops, other types. All must pass."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.special import softmax as scipy_softmax
from torch.distributions import Categorical, kl_divergence
from unseen import Unseen

from kdlib.exercises import exercise

unseen = Unseen()


@unseen.right("soften")
def soften_scipy(logits, temperature):
    return scipy_softmax(np.asarray(logits) / temperature, axis=-1)


@unseen.right("soften")
def soften_categorical(logits, temperature):
    return Categorical(logits=logits / temperature).probs


@unseen.right("soften")
def soften_logsumexp(z, t):
    z = z.double() / t
    return (z - z.logsumexp(-1, keepdim=True)).exp()


@unseen.right("soften")
def soften_logsumexp_in_float32(z, t):
    return torch.exp(z / t - torch.logsumexp(z / t, dim=-1, keepdim=True))


@unseen.right("soften")
def soften_lists(logits, temperature):
    def row(values):
        if isinstance(values[0], list):
            return [row(v) for v in values]
        top = max(values)
        weights = [math.exp((v - top) / temperature) for v in values]
        return [w / sum(weights) for w in weights]

    return row(logits.tolist())


@unseen.right("target-entropy")
def entropy_categorical(p):
    return Categorical(probs=p).entropy()


@unseen.right("target-entropy")
def entropy_numpy(p):
    p = p.numpy()
    return -(p * np.log(np.where(p > 0, p, 1))).sum(-1)


@unseen.right("pairs-told-apart")
def pairs_by_broadcast(p, tolerance):
    gaps = (p.unsqueeze(-1) - p.unsqueeze(-2)).abs() > tolerance
    return gaps.sum((-1, -2)) / 2


@unseen.right("pairs-told-apart")
def pairs_by_combinations(p, tolerance):
    pairs = torch.combinations(torch.arange(p.shape[-1]))
    return ((p[..., pairs[:, 0]] - p[..., pairs[:, 1]]).abs() > tolerance).sum(-1)


@unseen.right("dark-knowledge")
def dark_knowledge_numpy(p):
    q = p.numpy().copy()
    np.put_along_axis(q, q.argmax(-1)[..., None], 0, -1)
    s = q.sum(-1, keepdims=True)
    return np.divide(q, s, out=np.zeros_like(q), where=s > 0)


@unseen.right("dark-knowledge")
def dark_knowledge_by_what_the_top_leaves(p):
    top = p.max(-1, keepdim=True)
    left = 1 - top.values
    return p.scatter(-1, top.indices, 0) / torch.where(left == 0, 1, left)


@unseen.right("push")
def push_as_a_difference(p, z):
    before = z.reshape(-1, z.shape[-1])
    after = torch.nn.Parameter(before.clone())
    F.cross_entropy(after, p.reshape(before.shape), reduction="sum").backward()
    return ((after - after.grad) - before).reshape(z.shape).detach()


@unseen.right("push")
def push_loop(p, z):
    flat_p, flat_z = p.reshape(-1, p.shape[-1]), z.reshape(-1, z.shape[-1])
    return torch.stack([a - b.softmax(0) for a, b in zip(flat_p, flat_z)]).reshape(p.shape)


@unseen.right("distillation-step-loss")
def step_restoring_the_mode(teacher, student, x, x_short):
    was_training = teacher.training
    teacher.eval()
    target = teacher(x).detach()
    teacher.train(was_training)
    p, q = Categorical(logits=target), Categorical(logits=student(x_short))
    return kl_divergence(p, q).mean()


@unseen.right("distillation-step-loss")
def step_of_a_frozen_teacher(teacher, student, x, x_short):
    teacher.requires_grad_(False).eval()
    teacher.zero_grad()
    loss = torch.nn.KLDivLoss(reduction="batchmean", log_target=True)
    return loss(student.train()(x_short).log_softmax(-1), teacher(x).log_softmax(-1))


@unseen.right("dataset-loss")
def dataset_loss_categorical(log_p, log_q):
    p = log_p.exp()
    return (torch.xlogy(p, p) - torch.where(p > 0, p * log_q, 0)).sum()


@unseen.right("dataset-loss")
def dataset_loss_numpy(log_p, log_q):
    a, b = log_p.numpy(), log_q.numpy()
    keep = a > -np.inf
    with np.errstate(all="ignore"):
        return float(np.sum(np.exp(a[keep]) * (a[keep] - b[keep])))


@unseen.right("distillation-loss")
def loss_categorical(t, s, temperature):
    return (
        kl_divergence(
            Categorical(logits=t / temperature), Categorical(logits=s / temperature)
        ).mean()
        * temperature**2
    )


@unseen.right("distillation-loss")
def loss_accumulated(t, s, temperature):
    total, count = 0.0, 0
    for row_t, row_s in zip(t.double(), s.double()):
        for a, b in zip(row_t, row_s):
            log_p, log_q = F.log_softmax(a / temperature, 0), F.log_softmax(b / temperature, 0)
            total += (log_p.exp() * (log_p - log_q)).sum()
            count += 1
    return total / count * temperature * temperature


@unseen.right("training-pairs")
def pairs_comprehension(data, short_context):
    short = short_context and short_context + " "
    return tuple((c + bool(c) * " " + z, short + z) for c, z in data)


@unseen.right("one-hot-of-top")
def one_hot_eye(log_p):
    return torch.eye(log_p.shape[-1])[log_p.argmax(-1)]


@unseen.right("one-hot-of-top")
def one_hot_last_of_ties(log_p):
    reverse = log_p.flip(-1).argmax(-1)
    return F.one_hot(log_p.shape[-1] - 1 - reverse, log_p.shape[-1])


@unseen.right("blind-student-loss")
def blind_by_kl_div(p):
    q = p.mean(0, keepdim=True).log().expand_as(p)
    return torch.where(p > 0, p * (p.clamp_min(1e-30).log() - q), 0).sum() / len(p)


@unseen.right("blind-student-loss")
def blind_by_steps(p):
    logits = torch.zeros(p.shape[1], dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([logits], max_iter=100, line_search_fn="strong_wolfe")
    rows = [torch.distributions.Categorical(probs=row) for row in p.double()]

    def loss():
        optimiser.zero_grad()
        value = sum(-r.entropy() - (r.probs * logits.log_softmax(0)).sum() for r in rows) / len(p)
        value.backward()
        return value

    optimiser.step(loss)
    return loss().item()


@unseen.right("losses-of-settings")
def losses_numpy(log_p, settings):
    p = np.exp(log_p.numpy())
    losses = np.array([(p * (log_p.numpy() - q.numpy())).sum() for q in settings])
    return losses, int(np.argmin(losses))


@unseen.right("sequence-losses")
def sequence_losses_where(token_losses, mask):
    kept = torch.where(mask.bool(), token_losses, torch.nan)
    return torch.nansum(kept, -1), torch.nanmean(kept, -1)


@unseen.right("part-loss")
def part_loss_cumsum(token_losses, first, last):
    sums = F.pad(token_losses.cumsum(0), (1, 0))
    return sums[last] - sums[first - 1]


@unseen.right("loss-per-token")
def per_token_weighted(batches):
    sentences = [s for b in batches for s in b]
    return np.average([s.mean() for s in sentences], weights=[len(s) for s in sentences])


@pytest.mark.parametrize(
    ("id", "answer"), unseen.answers, ids=[f.__name__ for _, f in unseen.answers]
)
def test_unusual_right_answers_pass(id, answer):
    verdict = exercise(id).check(answer)
    assert verdict, verdict
