"""Unseen mistakes of chapter 2: nine in ten are named rightly."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.distributions import Categorical, kl_divergence
from unseen import Unseen, assert_nine_in_ten

unseen = Unseen()


@unseen.wrong("dataset-loss", "kl-reversed")
def dataset_swapped(log_p, log_q):
    return F.kl_div(log_p, log_q.exp(), reduction="sum")


@unseen.wrong("dataset-loss", "mean-over-vocab")
def dataset_default(log_p, log_q):
    return F.kl_div(log_q, log_p.exp())


@unseen.wrong("dataset-loss", "mean-for-sum")
def dataset_batchmean(log_p, log_q):
    return F.kl_div(log_q, log_p.exp(), reduction="batchmean")


@unseen.wrong("dataset-loss", "probs-for-log-probs")
def dataset_kl_div_probs(log_p, log_q):
    return F.kl_div(log_q.exp(), log_p.exp(), reduction="sum")


@unseen.wrong("dataset-loss", "ce-called-kl")
def dataset_soft_ce(log_p, log_q):
    return F.cross_entropy(log_q, log_p.exp(), reduction="sum")


@unseen.wrong("dataset-loss", "zero-log-zero")
def dataset_log_target(log_p, log_q):
    return F.kl_div(log_q, log_p, log_target=True, reduction="sum")


@unseen.wrong("dataset-loss", "zero-log-zero")
def dataset_clamped(log_p, log_q):
    p, q = log_p.exp(), log_q.exp()
    return (p * ((p + 1e-8) / (q + 1e-8)).log()).sum()


@unseen.wrong("dataset-loss", "nats-for-bits")
def dataset_bits(log_p, log_q):
    p = log_p.exp()
    return torch.where(p > 0, p * (log_p - log_q), 0).sum() / math.log(2)


@unseen.wrong("distillation-loss", "missing-t-squared")
def loss_plain(t, s, temperature):
    words = t.shape[-1]
    return F.kl_div(
        F.log_softmax(s / temperature, -1).view(-1, words),
        F.softmax(t / temperature, -1).view(-1, words),
        reduction="batchmean",
    )


@unseen.wrong("distillation-loss", "batchmean-over-sequences")
def loss_hinton(t, s, temperature):
    kl = F.kl_div(
        F.log_softmax(s / temperature, -1), F.softmax(t / temperature, -1), reduction="batchmean"
    )
    return kl * temperature**2


@unseen.wrong("distillation-loss", "batchmean-over-sequences", "missing-t-squared")
def loss_two_mistakes(t, s, temperature):
    return F.kl_div(
        F.log_softmax(s / temperature, -1), F.softmax(t / temperature, -1), reduction="batchmean"
    )


@unseen.wrong("distillation-loss", "mean-over-vocab")
def loss_default_reduction(t, s, temperature):
    return (
        F.kl_div(F.log_softmax(s / temperature, -1), F.softmax(t / temperature, -1))
        * temperature**2
    )


@unseen.wrong("distillation-loss", "mean-over-vocab", "missing-t-squared")
def loss_default_unscaled(t, s, temperature):
    return F.kl_div(F.log_softmax(s / temperature, -1), F.softmax(t / temperature, -1))


@unseen.wrong("distillation-loss", "kl-reversed")
def loss_swapped(t, s, temperature):
    return (
        kl_divergence(
            Categorical(logits=s / temperature), Categorical(logits=t / temperature)
        ).mean()
        * temperature**2
    )


@unseen.wrong("distillation-loss", "kl-reversed", "missing-t-squared")
def loss_swapped_unscaled(t, s, temperature):
    return kl_divergence(
        Categorical(logits=s / temperature), Categorical(logits=t / temperature)
    ).mean()


@unseen.wrong("distillation-loss", "probs-for-log-probs")
def loss_softmax_in_kl_div(t, s, temperature):
    words = t.shape[-1]
    q = F.softmax(s / temperature, -1).view(-1, words)
    p = F.softmax(t / temperature, -1).view(-1, words)
    return F.kl_div(q, p, reduction="batchmean") * temperature**2


@unseen.wrong("distillation-loss", "ce-called-kl")
def loss_soft_cross_entropy(t, s, temperature):
    words = t.shape[-1]
    p = F.softmax(t / temperature, -1).view(-1, words)
    return F.cross_entropy((s / temperature).view(-1, words), p) * temperature**2


@unseen.wrong("distillation-loss", "temperature-one-side")
def loss_only_student_soft(t, s, temperature):
    p, q = F.log_softmax(t, -1), F.log_softmax(s / temperature, -1)
    return (p.exp() * (p - q)).sum(-1).mean() * temperature**2


@unseen.wrong("distillation-loss", "hard-for-soft")
def loss_argmax(t, s, temperature):
    words = t.shape[-1]
    return F.cross_entropy(s.view(-1, words), t.argmax(-1).view(-1))


@unseen.wrong("training-pairs", "full-input-for-student")
def pairs_full(data, short_context):
    return [((c + " " + z).strip(), (c + " " + z).strip()) for c, z in data]


@unseen.wrong("one-hot-of-top", "index-for-distribution")
def hot_index(log_p):
    return log_p.max(-1).indices.tolist()


@unseen.wrong("one-hot-of-top", "ties-counted-twice")
def hot_ge(log_p):
    return (log_p >= log_p.amax(-1, keepdim=True)).int()


@unseen.wrong("blind-student-loss", "ce-called-kl")
def blind_entropy(p):
    return torch.special.entr(p.mean(0)).sum()


@unseen.wrong("losses-of-settings", "argmax-sign")
def settings_argmax(log_p, settings):
    losses = torch.stack([(log_p.exp() * (log_p - q)).sum() for q in settings])
    return losses, int(losses.argmax())


@unseen.wrong("losses-of-settings", "mean-for-sum")
def settings_batchmean(log_p, settings):
    losses = [F.kl_div(q, log_p.exp(), reduction="batchmean").item() for q in settings]
    return losses, int(np.argmin(losses))


@unseen.wrong("sequence-losses", "padding-counted")
def sequence_unmasked(token_losses, mask):
    return token_losses.sum(1), token_losses.mean(1)


@unseen.wrong("sequence-losses", "padding-counted")
def sequence_length(token_losses, mask):
    total = (token_losses * mask).sum(1)
    return total, total / token_losses.shape[1]


@unseen.wrong("part-loss", "off-by-one", "end-left-out")
def part_naive_slice(token_losses, first, last):
    return sum(token_losses.tolist()[first:last])


@unseen.wrong("loss-per-token", "mean-of-means")
def per_batch_mean(batches):
    return np.mean([np.mean([x for s in b for x in s.tolist()]) for b in batches])


@unseen.wrong("loss-per-token", "sum-for-mean")
def per_corpus_sum(batches):
    return sum(x for b in batches for s in b for x in s.tolist())


@unseen.wrong("distillation-loss", "missing-t-squared", "sum-for-mean")
def loss_sum_unscaled(t, s, temperature):
    return F.kl_div(
        (s / temperature).log_softmax(-1), (t / temperature).softmax(-1), reduction="sum"
    )


@unseen.wrong("distillation-loss", "missing-t-squared", "ce-called-kl")
def loss_cross_entropy_unscaled(t, s, temperature):
    p, log_q = (t / temperature).softmax(-1), (s / temperature).log_softmax(-1)
    return -(p * log_q).sum(-1).mean()


@unseen.wrong("distillation-loss", "missing-t-squared", "temperature-one-side")
def loss_one_side_unscaled(t, s, temperature):
    p, log_q = (t / temperature).softmax(-1), s.log_softmax(-1)
    return F.kl_div(log_q, p, reduction="none").sum(-1).mean()


@unseen.wrong("dataset-loss", "ce-called-kl", "mean-for-sum")
def dataset_mean_cross_entropy(log_p, log_q):
    return F.cross_entropy(log_q, log_p.exp())


@unseen.wrong("dataset-loss", "kl-reversed")
def dataset_naive_reversed(log_p, log_q):
    return (log_q.exp() * (log_q - log_p)).sum()


@unseen.wrong("one-hot-of-top", "index-for-distribution")
def hot_topk(log_p):
    return log_p.topk(1).indices


@unseen.wrong("sequence-losses", "sum-for-mean")
def sequence_exchanged(token_losses, mask):
    total = (token_losses * mask).sum(-1)
    return total / mask.sum(-1), total


@pytest.mark.filterwarnings("ignore:reduction")
def test_unseen_mistakes_are_named():
    assert_nine_in_ten(unseen.of_chapter(2))
