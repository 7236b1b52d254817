"""Unseen mistakes of chapters 7 and 8: nine in ten are named rightly."""

import math

import pytest
import torch
import torch.nn.functional as F
from unseen import Unseen, assert_nine_in_ten

unseen = Unseen()


def token_losses(logits, ids):
    return F.cross_entropy(logits[:, :-1].transpose(1, 2), ids[:, 1:], reduction="none")


@unseen.wrong("bug-next-token-sum", "stop-token-masked")
def next_tokens_ignoring_eos(logits, ids, mask, eos):
    labels = ids[:, 1:]
    losses = F.cross_entropy(
        logits[:, :-1].flatten(0, 1), labels.flatten(), ignore_index=eos, reduction="sum"
    )
    return losses, (labels != eos).sum()


@unseen.wrong("bug-next-token-sum", "padding-counted")
def next_tokens_masked_labels(logits, ids, mask, eos):
    labels = ids.masked_fill(mask == 0, -100)[:, 1:]
    losses = F.cross_entropy(logits[:, :-1].flatten(0, 1), labels.flatten(), reduction="sum")
    return losses, (labels != -100).sum()


@unseen.wrong("bug-next-token-sum", "off-by-one")
def next_tokens_gathered_unshifted(logits, ids, mask, eos):
    losses = -logits.log_softmax(-1).gather(2, ids[..., None])[..., 0]
    return (losses * mask).sum(), mask.sum()


@unseen.wrong("bug-next-token-sum", "wrong-size-in-mean", "batchmean-over-sequences")
def next_tokens_counts_rows(logits, ids, mask, eos):
    return (token_losses(logits, ids) * mask[:, 1:] * mask[:, :-1]).sum(), len(ids)


def ready_but_for(place, answer):
    """The right four results, with one of them decided otherwise."""

    def ready(teacher, student, teacher_ids, student_ids):
        memory = {p.data_ptr() for p in teacher.parameters()}
        results = [
            not any(part.training for part in teacher.modules()),
            not any(p.requires_grad for p in teacher.parameters()),
            memory.isdisjoint(p.data_ptr() for p in student.parameters()),
            teacher_ids == student_ids,
        ]
        results[place] = answer(teacher, student, teacher_ids, student_ids)
        return results

    return ready


unseen.wrong("bug-ready-to-distil", "teacher-in-train-mode")(
    ready_but_for(0, lambda t, s, *ids: not any(part.training for part in t.children()))
)
unseen.wrong("bug-ready-to-distil", "teacher-gets-gradient")(
    ready_but_for(1, lambda t, s, *ids: all(p.grad is None for p in t.parameters()))
)
unseen.wrong("bug-ready-to-distil", "shared-module")(
    ready_but_for(2, lambda t, s, *ids: all(a is not b for a, b in zip(t.modules(), s.modules())))
)
unseen.wrong("bug-ready-to-distil", "same-size-same-tokenizer")(
    ready_but_for(3, lambda t, s, a, b: sorted(a.values()) == sorted(b.values()))
)


@unseen.wrong("bug-padded-kl", "unused-slots-counted", "rest-not-renormalised")
def padded_kl_late(teacher, student, words):
    log_q = student.log_softmax(-1)[..., :words]
    return F.kl_div(log_q, teacher.softmax(-1)[..., :words], reduction="none").sum(-1)


@unseen.wrong("bug-padded-kl", "mean-over-vocab")
def padded_kl_mean(teacher, student, words):
    p, log_q = teacher[..., :words].softmax(-1), student[..., :words].log_softmax(-1)
    return F.kl_div(log_q, p, reduction="none").mean(-1)


@unseen.wrong("bug-accumulate", "mean-of-means")
def accumulate_stacked_means(micro_batches):
    loss = torch.stack([losses.mean() for losses in micro_batches if losses.numel()]).mean()
    loss.backward()
    return loss.item()


@unseen.wrong("bug-accumulate", "sum-for-mean")
def accumulate_sum_and_report_mean(micro_batches):
    total = torch.cat(micro_batches).sum()
    total.backward()
    return total.item() / sum(map(len, micro_batches))


@unseen.wrong("bug-two-scores", "nats-for-bits")
def two_scores_wrong_way(nats, tokens, text):
    return math.exp(nats / tokens), nats * math.log(2) / len(text.encode())


@unseen.wrong("bug-two-scores", "characters-for-bytes")
def two_scores_of_characters(nats, tokens, text):
    return math.exp(nats / tokens), nats * math.log2(math.e) / len(text)


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
@pytest.mark.parametrize("chapter", [7, 8])
def test_unseen_mistakes_are_named(chapter):
    assert_nine_in_ten(unseen.of_chapter(chapter))
