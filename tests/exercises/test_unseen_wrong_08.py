"""Unseen mistakes of chapter 8: nine in ten are named rightly."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from unseen import Unseen, assert_nine_in_ten

from kdlib.exercises import exercise

unseen = Unseen()


def chunk_losses(hidden_t, head_t, hidden_s, head_s, rows):
    p, log_q = (hidden_t[rows] @ head_t.T).softmax(-1), (hidden_s[rows] @ head_s.T).log_softmax(-1)
    return F.kl_div(log_q, p, reduction="none").sum(-1)


@unseen.wrong("bug-chunked-kl", "end-left-out")
def chunked_kl_whole_chunks(*models):
    *models, chunk = models
    starts = range(0, len(models[0]) - chunk + 1, chunk)
    return sum(chunk_losses(*models, slice(i, i + chunk)).sum() for i in starts)


@unseen.wrong("bug-chunked-kl", "dense-logits-stored")
def chunked_kl_of_split_logits(hidden_t, head_t, hidden_s, head_s, chunk):
    teacher, student = (hidden_t @ head_t.T).split(chunk), (hidden_s @ head_s.T).split(chunk)
    pairs = zip(teacher, student)
    return sum(F.kl_div(s.log_softmax(-1), t.softmax(-1), reduction="sum") for t, s in pairs)


def summed_kl(pairs):
    return sum(
        F.kl_div(s.log_softmax(-1), t.log_softmax(-1), reduction="sum", log_target=True)
        for t, s in pairs
    )


@unseen.wrong("bug-chunked-kl", "dense-logits-stored")
def chunked_kl_of_lists(hidden_t, head_t, hidden_s, head_s, chunk):
    teacher = [h @ head_t.T for h in hidden_t.split(chunk)]
    student = [h @ head_s.T for h in hidden_s.split(chunk)]
    return summed_kl(zip(teacher, student))


@unseen.wrong("bug-chunked-kl", "dense-logits-stored")
def chunked_kl_of_kept_rows(hidden_t, head_t, hidden_s, head_s, chunk):
    return summed_kl([(head_t @ t, head_s @ s) for t, s in zip(hidden_t, hidden_s)])


@unseen.wrong("bug-chunked-kl", "dense-logits-stored")
def chunked_kl_twice_as_large(*models):
    *models, chunk = models
    starts = range(0, len(models[0]), 2 * chunk)
    return sum(chunk_losses(*models, slice(i, i + 2 * chunk)).sum() for i in starts)


@unseen.wrong("bug-chunked-kl", "dense-logits-stored")
def chunked_kl_mapped(hidden_t, head_t, hidden_s, head_s, chunk):
    def of_row(t, s):
        log_p, log_q = (head_t @ t).log_softmax(-1), (head_s @ s).log_softmax(-1)
        return (log_p.exp() * (log_p - log_q)).sum()

    return torch.vmap(of_row)(hidden_t, hidden_s).sum()


@unseen.wrong("bug-chunked-kl", "dense-logits-stored")
def chunked_kl_with_a_table_of_the_teacher(hidden_t, head_t, hidden_s, head_s, chunk):
    table = torch.empty(len(hidden_t), len(head_t))
    for rows in torch.arange(len(hidden_t)).split(chunk):
        table[rows] = hidden_t[rows] @ head_t.T
    return summed_kl((t, s @ head_s.T) for t, s in zip(table.split(chunk), hidden_s.split(chunk)))


@unseen.wrong("bug-chunked-kl", "dense-logits-stored")
def chunked_kl_one_position_more(hidden_t, head_t, hidden_s, head_s, chunk):
    pairs = zip(hidden_t.split(chunk + 1), hidden_s.split(chunk + 1))
    return summed_kl((t @ head_t.T, s @ head_s.T) for t, s in pairs)


@unseen.wrong("bug-chunked-kl", "mean-over-vocab")
def chunked_kl_default(hidden_t, head_t, hidden_s, head_s, chunk):
    pairs = zip(hidden_t.split(chunk), hidden_s.split(chunk))
    return sum(
        F.kl_div((s @ head_s.T).log_softmax(-1), (t @ head_t.T).softmax(-1)) for t, s in pairs
    )


@unseen.wrong("bug-chunked-kl", "mean-of-means", "mean-for-sum")
def chunked_kl_batchmean(*models):
    *models, chunk = models
    starts = range(0, len(models[0]), chunk)
    return sum(chunk_losses(*models, slice(i, i + chunk)).mean() for i in starts)


@unseen.wrong("bug-top-k-and-rest", "top-k-unnormalised")
def top_k_kl_div(log_p, log_q, k):
    kept, words = log_p.topk(k)
    terms = F.kl_div(log_q.gather(-1, words), kept, log_target=True, reduction="none")
    return terms.sum(-1).clamp(min=0)


@unseen.wrong("bug-top-k-and-rest", "top-k-renormalised")
def top_k_softmax(log_p, log_q, k):
    kept, words = log_p.topk(k)
    p, q = kept.softmax(-1), log_q.gather(-1, words).softmax(-1)
    return (p * (p / q).log()).sum(-1)


@unseen.wrong("bug-top-k-and-rest", "weighed-by-student")
def top_k_of_two_rankings(log_p, log_q, k):
    p, q = (x.exp().sort(-1, descending=True).values for x in (log_p, log_q))
    p, q = (torch.cat([x[..., :k], x[..., k:].sum(-1, keepdim=True)], -1) for x in (p, q))
    return (torch.xlogy(p, p) - torch.xlogy(p, q)).sum(-1)


@unseen.wrong("bug-top-k-and-rest", "floor-in-logarithm")
def top_k_floored(log_p, log_q, k):
    order = log_p.argsort(-1, descending=True)
    p, q = (x.exp().gather(-1, order) for x in (log_p, log_q))
    p, q = (torch.cat([x[..., :k], x[..., k:].sum(-1, keepdim=True)], -1) for x in (p, q))
    return (p * ((p + 1e-8).log() - (q + 1e-8).log())).sum(-1)


@unseen.wrong("bug-sampled-target", "weights-missing")
def sampled_target_of_counts(p, proposal, draws):
    return F.one_hot(draws, len(p)).float().mean(0)


@unseen.wrong("bug-sampled-target", "repeated-index")
def sampled_target_in_place(p, proposal, draws):
    target = torch.zeros_like(p)
    target[draws] += p[draws] / proposal[draws] / len(draws)
    return target


@unseen.wrong("bug-sampled-target", "weighted-twice", "square-forgotten")
def sampled_target_squared(p, proposal, draws):
    return torch.bincount(draws, (p * p / proposal)[draws], len(p)) / len(draws)


@unseen.wrong("bug-rows-of-batch", "rows-shuffled")
def rows_found_in_cache_order(cached_ids, rows, batch_ids):
    return rows[torch.isin(cached_ids, batch_ids).nonzero()[:, 0]]


@unseen.wrong("bug-rows-of-batch", "rows-shuffled", "order-assumed")
def rows_of_a_sorted_cache(cached_ids, rows, batch_ids):
    return rows[torch.searchsorted(cached_ids, batch_ids).clamp(max=len(rows) - 1)]


unseen.wrong("bug-divisor-of-every-process", "divided-twice")(2400)


@pytest.mark.filterwarnings("ignore:reduction")
def test_unseen_mistakes_are_named():
    assert_nine_in_ten(unseen.of_chapter(8))


def test_what_is_held_is_said_of_every_answer_that_holds_too_much():
    """Two chunks are too much, and still not all of the logits."""
    verdict = exercise("bug-chunked-kl").check(chunked_kl_twice_as_large)
    assert "more than `chunk`" in verdict.seen and "all" not in verdict.seen


def test_what_is_held_in_numpy_or_in_lists_counts():
    def log_softmax(x):
        x = x - x.max(1, keepdims=True)
        return x - np.log(np.exp(x).sum(1, keepdims=True))

    def whole(hidden_t, head_t, hidden_s, head_s, chunk):
        log_p = log_softmax(hidden_t.numpy() @ head_t.numpy().T)
        log_q = log_softmax(hidden_s.numpy() @ head_s.numpy().T)
        return (np.exp(log_p) * (log_p - log_q)).sum()

    def kept_in_lists(hidden_t, head_t, hidden_s, head_s, chunk):
        teacher = [(part @ head_t.T).tolist() for part in hidden_t.split(chunk)]
        student = ((part @ head_s.T).log_softmax(-1) for part in hidden_s.split(chunk))
        pairs = zip(teacher, student)
        return sum(F.kl_div(s, torch.tensor(t).softmax(-1), reduction="sum") for t, s in pairs)

    for answer in (whole, kept_in_lists):
        verdict = exercise("bug-chunked-kl").check(answer)
        assert verdict.misconception == "dense-logits-stored", verdict


@pytest.mark.parametrize("least", [1e-8, 1e-10, 1e-20])
def test_a_floor_under_the_rest_is_named(least):
    def answer(log_p, log_q, k):
        kept = torch.zeros_like(log_p, dtype=torch.bool)
        kept.scatter_(-1, log_p.topk(k).indices, True)
        r, s = (x.exp().masked_fill(kept, 0.0).sum(-1) + least for x in (log_p, log_q))
        terms = (log_p.exp() * (log_p - log_q)).masked_fill(~kept, 0.0)
        return terms.sum(-1) + r * (r / s).log()

    verdict = exercise("bug-top-k-and-rest").check(answer)
    assert verdict.misconception == "floor-in-logarithm", verdict


@pytest.mark.parametrize("checked", [0, -1])
def test_every_sample_of_the_batch_is_looked_for(checked):
    def answer(ids, rows, batch):
        if batch[checked] not in ids:
            raise KeyError
        return rows[(batch[:, None] == ids).int().argmax(-1)]

    assert exercise("bug-rows-of-batch").check(answer).outcome == "wrong"


def test_rows_for_an_unknown_sample_are_not_compared_with_text():
    def answer(ids, rows, batch):
        order = ids.argsort()
        return rows[order][torch.searchsorted(ids[order], batch)]

    verdict = exercise("bug-rows-of-batch").check(answer)
    assert verdict.misconception == "rows-shuffled" and "text" not in verdict.seen


@pytest.mark.parametrize(
    ("given", "outcome"), [(600, "correct"), (600.4, "wrong"), (599.6, "wrong")]
)
def test_a_whole_number_has_no_fraction(given, outcome):
    assert exercise("bug-divisor-of-every-process").check(given).outcome == outcome
