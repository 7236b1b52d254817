"""Answers that are not kept with the exercises: right ones pass, mistakes are named.

They are written as a reader would write them, without looking at the kept wrong answers.
"""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.special import softmax as scipy_softmax
from torch.distributions import Categorical, kl_divergence

from kdlib.exercises import exercise

RIGHT, WRONG = [], []


def right(id):
    return lambda f: RIGHT.append((id, f)) or f


def wrong(id, *misconceptions):
    return lambda f: WRONG.append((id, misconceptions, f)) or f


# Right


@right("soften")
def soften_scipy(logits, temperature):
    return scipy_softmax(np.asarray(logits) / temperature, axis=-1)


@right("soften")
def soften_categorical(logits, temperature):
    return Categorical(logits=logits / temperature).probs


@right("soften")
def soften_logsumexp(z, t):
    z = z.double() / t
    return (z - z.logsumexp(-1, keepdim=True)).exp()


@right("soften")
def soften_lists(logits, temperature):
    def row(values):
        if isinstance(values[0], list):
            return [row(v) for v in values]
        top = max(values)
        weights = [math.exp((v - top) / temperature) for v in values]
        return [w / sum(weights) for w in weights]

    return row(logits.tolist())


@right("target-entropy")
def entropy_categorical(p):
    return Categorical(probs=p).entropy()


@right("target-entropy")
def entropy_numpy(p):
    p = p.numpy()
    return -(p * np.log(np.where(p > 0, p, 1))).sum(-1)


@right("pairs-told-apart")
def pairs_by_broadcast(p, tolerance):
    gaps = (p.unsqueeze(-1) - p.unsqueeze(-2)).abs() > tolerance
    return gaps.sum((-1, -2)) / 2


@right("pairs-told-apart")
def pairs_by_combinations(p, tolerance):
    pairs = torch.combinations(torch.arange(p.shape[-1]))
    return ((p[..., pairs[:, 0]] - p[..., pairs[:, 1]]).abs() > tolerance).sum(-1)


@right("dark-knowledge")
def dark_knowledge_numpy(p):
    q = p.numpy().copy()
    np.put_along_axis(q, q.argmax(-1)[..., None], 0, -1)
    s = q.sum(-1, keepdims=True)
    return np.divide(q, s, out=np.zeros_like(q), where=s > 0)


@right("push")
def push_loop(p, z):
    flat_p, flat_z = p.reshape(-1, p.shape[-1]), z.reshape(-1, z.shape[-1])
    return torch.stack([a - b.softmax(0) for a, b in zip(flat_p, flat_z)]).reshape(p.shape)


@right("distillation-step-loss")
def step_restoring_the_mode(teacher, student, x, x_short):
    was_training = teacher.training
    teacher.eval()
    target = teacher(x).detach()
    teacher.train(was_training)
    p, q = Categorical(logits=target), Categorical(logits=student(x_short))
    return kl_divergence(p, q).mean()


@right("dataset-loss")
def dataset_loss_categorical(log_p, log_q):
    p = log_p.exp()
    return (torch.xlogy(p, p) - torch.where(p > 0, p * log_q, 0)).sum()


@right("dataset-loss")
def dataset_loss_numpy(log_p, log_q):
    a, b = log_p.numpy(), log_q.numpy()
    keep = a > -np.inf
    with np.errstate(all="ignore"):
        return float(np.sum(np.exp(a[keep]) * (a[keep] - b[keep])))


@right("distillation-loss")
def loss_categorical(t, s, temperature):
    return (
        kl_divergence(
            Categorical(logits=t / temperature), Categorical(logits=s / temperature)
        ).mean()
        * temperature**2
    )


@right("distillation-loss")
def loss_accumulated(t, s, temperature):
    total, count = 0.0, 0
    for row_t, row_s in zip(t.double(), s.double()):
        for a, b in zip(row_t, row_s):
            log_p, log_q = F.log_softmax(a / temperature, 0), F.log_softmax(b / temperature, 0)
            total += float((log_p.exp() * (log_p - log_q)).sum())
            count += 1
    return total / count * temperature * temperature


@right("training-pairs")
def pairs_comprehension(data, short_context):
    return tuple(((c + " " + z).strip(), (short_context + " " + z).strip()) for c, z in data)


@right("one-hot-of-top")
def one_hot_eye(log_p):
    return torch.eye(log_p.shape[-1])[log_p.argmax(-1)]


@right("one-hot-of-top")
def one_hot_last_of_ties(log_p):
    reverse = log_p.flip(-1).argmax(-1)
    return F.one_hot(log_p.shape[-1] - 1 - reverse, log_p.shape[-1])


@right("blind-student-loss")
def blind_by_kl_div(p):
    q = p.mean(0, keepdim=True).log().expand_as(p)
    return torch.where(p > 0, p * (p.clamp_min(1e-30).log() - q), 0).sum() / len(p)


@right("losses-of-settings")
def losses_numpy(log_p, settings):
    p = np.exp(log_p.numpy())
    losses = np.array([(p * (log_p.numpy() - q.numpy())).sum() for q in settings])
    return losses, int(np.argmin(losses))


@right("sequence-losses")
def sequence_losses_where(token_losses, mask):
    kept = torch.where(mask.bool(), token_losses, torch.nan)
    return torch.nansum(kept, -1), torch.nanmean(kept, -1)


@right("part-loss")
def part_loss_cumsum(token_losses, first, last):
    sums = F.pad(token_losses.cumsum(0), (1, 0))
    return sums[last] - sums[first - 1]


@right("loss-per-token")
def per_token_weighted(batches):
    sentences = [s for b in batches for s in b]
    return np.average([s.mean() for s in sentences], weights=[len(s) for s in sentences])


# Wrong


@wrong("soften", "temperature-inverted")
def inverted_power(logits, temperature):
    p = torch.softmax(logits, -1) ** temperature
    return p / p.sum(-1, keepdim=True)


@wrong("soften", "temperature-after-softmax")
def soften_divided_numpy(logits, temperature):
    return scipy_softmax(logits.numpy(), axis=-1) / temperature


@wrong("soften", "softmax-overflow")
def soften_numpy_naive(logits, temperature):
    with np.errstate(all="ignore"):
        e = np.exp(logits.numpy() / temperature)
        return e / e.sum(-1, keepdims=True)


@wrong("soften", "softmax-overflow")
def soften_overflow_zeroed(logits, temperature):
    e = torch.exp(logits / temperature)
    return (e / e.sum(-1, keepdim=True)).nan_to_num(0)


@wrong("soften", "softmax-wrong-axis")
def soften_whole(logits, temperature):
    z = (logits / temperature).double()
    return (z - z.max()).exp() / (z - z.max()).exp().sum()


@wrong("soften", "temperature-ignored", "temperature-after-softmax")
def soften_then_normalise(logits, temperature):
    p = torch.softmax(logits, -1) / temperature
    return p / p.sum(-1, keepdim=True)


@wrong("target-entropy", "nats-for-bits")
def entropy_log2(p):
    return -(p * torch.log2(p.clamp_min(1e-30))).sum(-1)


@wrong("target-entropy", "nats-for-bits")
def entropy_log10(p):
    return -(p * torch.log10(p.clamp_min(1e-30))).sum(-1)


@wrong("target-entropy", "zero-log-zero")
def entropy_numpy_nan(p):
    with np.errstate(all="ignore"):
        return -np.sum(p.numpy() * np.log(p.numpy()), axis=-1)


@wrong("target-entropy", "sign-flipped")
def entropy_negative(p):
    return torch.where(p > 0, p * p.log(), 0).sum(-1)


@wrong("target-entropy", "mean-over-vocab")
def entropy_mean(p):
    return torch.where(p > 0, -p * p.log(), 0).mean(-1)


@wrong("pairs-told-apart", "double-counting")
def pairs_nested(p, tolerance):
    n = p.shape[-1]
    return (
        sum((p[..., i] - p[..., j]).abs() > tolerance for i in range(n) for j in range(n) if i != j)
        * 1
    )


@wrong("pairs-told-apart", "top-entry-only")
def pairs_top_loop(p, tolerance):
    return ((p - p.amax(-1, keepdim=True)).abs() > tolerance).sum(-1)


@wrong("dark-knowledge", "rest-not-renormalised")
def dark_masked(p):
    return p * (1 - F.one_hot(p.argmax(-1), p.shape[-1]))


@wrong("dark-knowledge", "zero-log-zero")
def dark_numpy_nan(p):
    q = p.clone().numpy()
    np.put_along_axis(q, q.argmax(-1)[..., None], 0, -1)
    with np.errstate(all="ignore"):
        return q / q.sum(-1, keepdims=True)


@wrong("push", "sign-flipped")
def push_gradient(p, z):
    z = z.clone().requires_grad_()
    (-(p * z.log_softmax(-1)).sum()).backward()
    return z.grad


@wrong("push", "hard-for-soft")
def push_nll(p, z):
    z = z.clone().requires_grad_()
    words = p.shape[-1]
    F.cross_entropy(z.reshape(-1, words), p.argmax(-1).reshape(-1), reduction="sum").backward()
    return -z.grad


@wrong("push", "wrong-size-in-mean")
def push_mean_loss(p, z):
    z = z.clone().requires_grad_()
    (-(p * z.log_softmax(-1)).sum() / len(p)).backward()
    return -z.grad


@wrong("distillation-step-loss", "teacher-gets-gradient")
def step_cross_with_gradient(teacher, student, x, x_short):
    teacher.eval()
    return F.kl_div(student(x_short).log_softmax(-1), teacher(x).softmax(-1), reduction="batchmean")


@wrong("distillation-step-loss", "teacher-in-train-mode")
def step_detached_only(teacher, student, x, x_short):
    p = teacher(x).detach().log_softmax(-1)
    return F.kl_div(student(x_short).log_softmax(-1), p, reduction="batchmean", log_target=True)


@wrong("distillation-step-loss", "full-input-for-student")
def step_same_input(teacher, student, x, x_short):
    teacher.eval()
    p = teacher(x).detach().softmax(-1)
    return F.kl_div(student(x).log_softmax(-1), p, reduction="batchmean")


@wrong("distillation-step-loss", "mean-over-vocab")
def step_default_reduction(teacher, student, x, x_short):
    teacher.eval()
    p = teacher(x).detach().softmax(-1)
    return F.kl_div(student(x_short).log_softmax(-1), p)


@wrong("distillation-step-loss", "student-gets-no-gradient")
def step_item(teacher, student, x, x_short):
    teacher.eval()
    p = teacher(x).detach().softmax(-1)
    return F.kl_div(student(x_short).detach().log_softmax(-1), p, reduction="batchmean")


@wrong("distillation-step-loss", "teacher-in-train-mode", "teacher-gets-gradient")
def step_naive(teacher, student, x, x_short):
    p = teacher(x).log_softmax(-1)
    q = student(x_short).log_softmax(-1)
    return (p.exp() * (p - q)).sum(-1).mean()


@wrong("dataset-loss", "kl-reversed")
def dataset_swapped(log_p, log_q):
    return F.kl_div(log_p, log_q.exp(), reduction="sum")


@wrong("dataset-loss", "mean-over-vocab")
def dataset_default(log_p, log_q):
    return F.kl_div(log_q, log_p.exp())


@wrong("dataset-loss", "mean-for-sum")
def dataset_batchmean(log_p, log_q):
    return F.kl_div(log_q, log_p.exp(), reduction="batchmean")


@wrong("dataset-loss", "probs-for-log-probs")
def dataset_kl_div_probs(log_p, log_q):
    return F.kl_div(log_q.exp(), log_p.exp(), reduction="sum")


@wrong("dataset-loss", "ce-called-kl")
def dataset_soft_ce(log_p, log_q):
    return F.cross_entropy(log_q, log_p.exp(), reduction="sum")


@wrong("dataset-loss", "zero-log-zero")
def dataset_log_target(log_p, log_q):
    return F.kl_div(log_q, log_p, log_target=True, reduction="sum")


@wrong("dataset-loss", "zero-log-zero")
def dataset_clamped(log_p, log_q):
    p, q = log_p.exp(), log_q.exp()
    return (p * ((p + 1e-8) / (q + 1e-8)).log()).sum()


@wrong("dataset-loss", "nats-for-bits")
def dataset_bits(log_p, log_q):
    p = log_p.exp()
    return torch.where(p > 0, p * (log_p - log_q), 0).sum() / math.log(2)


@wrong("distillation-loss", "missing-t-squared")
def loss_plain(t, s, temperature):
    words = t.shape[-1]
    return F.kl_div(
        F.log_softmax(s / temperature, -1).view(-1, words),
        F.softmax(t / temperature, -1).view(-1, words),
        reduction="batchmean",
    )


@wrong("distillation-loss", "batchmean-over-sequences")
def loss_hinton(t, s, temperature):
    kl = F.kl_div(
        F.log_softmax(s / temperature, -1), F.softmax(t / temperature, -1), reduction="batchmean"
    )
    return kl * temperature**2


@wrong("distillation-loss", "batchmean-over-sequences", "missing-t-squared")
def loss_two_mistakes(t, s, temperature):
    return F.kl_div(
        F.log_softmax(s / temperature, -1), F.softmax(t / temperature, -1), reduction="batchmean"
    )


@wrong("distillation-loss", "mean-over-vocab")
def loss_default_reduction(t, s, temperature):
    return (
        F.kl_div(F.log_softmax(s / temperature, -1), F.softmax(t / temperature, -1))
        * temperature**2
    )


@wrong("distillation-loss", "mean-over-vocab", "missing-t-squared")
def loss_default_unscaled(t, s, temperature):
    return F.kl_div(F.log_softmax(s / temperature, -1), F.softmax(t / temperature, -1))


@wrong("distillation-loss", "kl-reversed")
def loss_swapped(t, s, temperature):
    return (
        kl_divergence(
            Categorical(logits=s / temperature), Categorical(logits=t / temperature)
        ).mean()
        * temperature**2
    )


@wrong("distillation-loss", "kl-reversed", "missing-t-squared")
def loss_swapped_unscaled(t, s, temperature):
    return kl_divergence(
        Categorical(logits=s / temperature), Categorical(logits=t / temperature)
    ).mean()


@wrong("distillation-loss", "probs-for-log-probs")
def loss_softmax_in_kl_div(t, s, temperature):
    words = t.shape[-1]
    q = F.softmax(s / temperature, -1).view(-1, words)
    p = F.softmax(t / temperature, -1).view(-1, words)
    return F.kl_div(q, p, reduction="batchmean") * temperature**2


@wrong("distillation-loss", "ce-called-kl")
def loss_soft_cross_entropy(t, s, temperature):
    words = t.shape[-1]
    p = F.softmax(t / temperature, -1).view(-1, words)
    return F.cross_entropy((s / temperature).view(-1, words), p) * temperature**2


@wrong("distillation-loss", "temperature-one-side")
def loss_only_student_soft(t, s, temperature):
    p, q = F.log_softmax(t, -1), F.log_softmax(s / temperature, -1)
    return (p.exp() * (p - q)).sum(-1).mean() * temperature**2


@wrong("distillation-loss", "hard-for-soft")
def loss_argmax(t, s, temperature):
    words = t.shape[-1]
    return F.cross_entropy(s.view(-1, words), t.argmax(-1).view(-1))


@wrong("training-pairs", "full-input-for-student")
def pairs_full(data, short_context):
    return [((c + " " + z).strip(), (c + " " + z).strip()) for c, z in data]


@wrong("one-hot-of-top", "index-for-distribution")
def hot_index(log_p):
    return log_p.max(-1).indices.tolist()


@wrong("one-hot-of-top", "ties-counted-twice")
def hot_ge(log_p):
    return (log_p >= log_p.amax(-1, keepdim=True)).int()


@wrong("blind-student-loss", "ce-called-kl")
def blind_entropy(p):
    return torch.special.entr(p.mean(0)).sum()


@wrong("losses-of-settings", "argmax-sign")
def settings_argmax(log_p, settings):
    losses = torch.stack([(log_p.exp() * (log_p - q)).sum() for q in settings])
    return losses, int(losses.argmax())


@wrong("losses-of-settings", "mean-for-sum")
def settings_batchmean(log_p, settings):
    losses = [F.kl_div(q, log_p.exp(), reduction="batchmean").item() for q in settings]
    return losses, int(np.argmin(losses))


@wrong("sequence-losses", "padding-counted")
def sequence_unmasked(token_losses, mask):
    return token_losses.sum(1), token_losses.mean(1)


@wrong("sequence-losses", "padding-counted")
def sequence_length(token_losses, mask):
    total = (token_losses * mask).sum(1)
    return total, total / token_losses.shape[1]


@wrong("part-loss", "off-by-one", "end-left-out")
def part_naive_slice(token_losses, first, last):
    return sum(token_losses.tolist()[first:last])


@wrong("loss-per-token", "mean-of-means")
def per_batch_mean(batches):
    return np.mean([np.mean([x for s in b for x in s.tolist()]) for b in batches])


@wrong("loss-per-token", "sum-for-mean")
def per_corpus_sum(batches):
    return sum(x for b in batches for s in b for x in s.tolist())


@wrong("distillation-loss", "missing-t-squared", "sum-for-mean")
def loss_sum_unscaled(t, s, temperature):
    return F.kl_div(
        (s / temperature).log_softmax(-1), (t / temperature).softmax(-1), reduction="sum"
    )


@wrong("distillation-loss", "missing-t-squared", "ce-called-kl")
def loss_cross_entropy_unscaled(t, s, temperature):
    p, log_q = (t / temperature).softmax(-1), (s / temperature).log_softmax(-1)
    return -(p * log_q).sum(-1).mean()


@wrong("distillation-loss", "missing-t-squared", "temperature-one-side")
def loss_one_side_unscaled(t, s, temperature):
    p, log_q = (t / temperature).softmax(-1), s.log_softmax(-1)
    return F.kl_div(log_q, p, reduction="none").sum(-1).mean()


@wrong("dataset-loss", "ce-called-kl", "mean-for-sum")
def dataset_mean_cross_entropy(log_p, log_q):
    return F.cross_entropy(log_q, log_p.exp())


@wrong("dataset-loss", "kl-reversed")
def dataset_naive_reversed(log_p, log_q):
    return (log_q.exp() * (log_q - log_p)).sum()


@wrong("soften", "softmax-wrong-axis")
def soften_second_last(logits, temperature):
    return F.softmax(logits / temperature, dim=max(-2, -logits.dim()))


@wrong("push", "softmax-overflow")
def push_naive(p, z):
    return p - z.exp() / z.exp().sum(-1, keepdim=True)


@wrong("one-hot-of-top", "index-for-distribution")
def hot_topk(log_p):
    return log_p.topk(1).indices


@wrong("sequence-losses", "sum-for-mean")
def sequence_exchanged(token_losses, mask):
    total = (token_losses * mask).sum(-1)
    return total / mask.sum(-1), total


@pytest.mark.parametrize(("id", "answer"), RIGHT, ids=[f.__name__ for _, f in RIGHT])
def test_unusual_right_answers_pass(id, answer):
    verdict = exercise(id).check(answer)
    assert verdict, verdict


@pytest.mark.filterwarnings("ignore:reduction")
def test_unseen_mistakes_are_named_rightly_nine_times_in_ten():
    verdicts = [(ids, f.__name__, exercise(id).check(f)) for id, ids, f in WRONG]
    assert all(v.outcome == "wrong" for _, _, v in verdicts)
    missed = [f"{name}: {v}" for ids, name, v in verdicts if v.misconception not in ids]
    assert len(missed) <= 0.1 * len(WRONG), "\n".join(missed)
