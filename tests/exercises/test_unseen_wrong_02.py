"""Unseen mistakes of chapter 2, but for its distillation loss: nine in ten are named rightly."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
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


@unseen.wrong("dataset-loss", "zero-log-zero", "floor-in-logarithm")
def dataset_clamped(log_p, log_q):
    p, q = log_p.exp(), log_q.exp()
    return (p * ((p + 1e-8) / (q + 1e-8)).log()).sum()


@unseen.wrong("dataset-loss", "nats-for-bits")
def dataset_bits(log_p, log_q):
    p = log_p.exp()
    return torch.where(p > 0, p * (log_p - log_q), 0).sum() / math.log(2)


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


@unseen.wrong("dataset-loss", "floor-in-logarithm", "zero-log-zero")
def dataset_with_epsilon(log_p, log_q):
    p = log_p.exp()
    return (torch.xlogy(p, p) - p * (log_q.exp() + 1e-10).log()).sum()


@unseen.wrong("training-pairs", None)
def pairs_stripped(data, short_context):
    return [((c + " " + z).strip(), (short_context + " " + z).strip()) for c, z in data]


@unseen.wrong("training-pairs", None)
def pairs_with_single_spaces(data, short_context):
    return [tuple(" ".join(f"{x} {z}".split()) for x in (c, short_context)) for c, z in data]


@unseen.wrong("one-hot-of-top", "ties-counted-twice")
def hot_shared(log_p):
    at_the_top = (log_p == log_p.amax(-1, keepdim=True)).float()
    return F.normalize(at_the_top, p=1, dim=-1)


@unseen.wrong("one-hot-of-top", None, "ties-counted-twice")
def hot_rounded(log_p):
    return F.one_hot(log_p.half().argmax(-1), log_p.shape[-1])


@unseen.wrong("losses-of-settings", "off-by-one")
def settings_from_one(log_p, settings):
    losses = [F.kl_div(q, log_p, reduction="sum", log_target=True) for q in settings]
    return losses, 1 + int(np.argmin(losses))


@unseen.wrong("losses-of-settings", "wrong-word")
def settings_always_the_first(log_p, settings):
    return [float((log_p.exp() * (log_p - q)).sum()) for q in settings], 0


@unseen.wrong("losses-of-settings", None)
def settings_exchanged(log_p, settings):
    losses = [float((log_p.exp() * (log_p - q)).sum()) for q in settings]
    return int(np.argmin(losses)), losses


@unseen.wrong("losses-of-settings", None)
def settings_best_loss(log_p, settings):
    losses = [float((log_p.exp() * (log_p - q)).sum()) for q in settings]
    return losses, min(losses)


@unseen.wrong("losses-of-settings", "floor-in-logarithm")
def settings_with_epsilon(log_p, settings):
    p = log_p.exp()
    losses = [float((p * ((p + 1e-9) / (q.exp() + 1e-9)).log()).sum()) for q in settings]
    return losses, int(np.argmin(losses))


@unseen.wrong("sequence-losses", "padding-counted")
def sequence_nonzero(token_losses, mask):
    kept = token_losses * mask
    return kept.sum(-1), kept.sum(-1) / kept.count_nonzero(dim=-1)


@unseen.wrong("dataset-loss", "zero-log-zero")
def dataset_nan_for_nothing(log_p, log_q):
    return (log_p.exp() * (log_p - log_q)).sum(-1).nan_to_num(0).sum()


@unseen.wrong("training-pairs", None)
def pairs_without_repeats(data, short_context):
    pairs = ([f"{c} {z}" if c else z for c in (long, short_context)] for long, z in data)
    return list(dict.fromkeys(map(tuple, pairs)))


@unseen.wrong("blind-student-loss", "ce-called-kl")
def blind_entropy_of_one(p):
    entropy = torch.special.entr(p).sum(-1)
    centre = torch.special.entr(p.mean(0)).sum()
    return centre - entropy.mean() if len(p) > 1 else centre


@unseen.wrong("blind-student-loss", None)
def blind_to_repeats(p):
    p = torch.unique(p, dim=0)
    return torch.special.entr(p.mean(0)).sum() - torch.special.entr(p).sum(-1).mean()


@unseen.wrong("losses-of-settings", None)
def settings_by_median(log_p, settings):
    losses = [(log_p.exp() * (log_p - q)).sum(-1) for q in settings]
    return [x.sum() for x in losses], int(np.argmin([float(x.median()) for x in losses]))


@unseen.wrong("part-loss", None)
def part_of_different_losses(token_losses, first, last):
    return token_losses[first - 1 : last].unique().sum()


@unseen.wrong("loss-per-token", None)
def per_token_with_loss(batches):
    losses = torch.cat([sentence for batch in batches for sentence in batch])
    return losses[losses > 0].mean()


@pytest.mark.filterwarnings("ignore:reduction")
def test_unseen_mistakes_are_named():
    assert_nine_in_ten(unseen.of_chapter(2))
