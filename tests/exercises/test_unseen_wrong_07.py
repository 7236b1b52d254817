"""Unseen mistakes of chapter 7: nine in ten are named rightly."""

import math
import unicodedata

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from unseen import Unseen, assert_nine_in_ten

from kdlib.exercises import exercise

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


@unseen.wrong("bug-next-token-sum", "floor-in-logarithm")
def next_tokens_floored(logits, ids, mask, eos):
    log_q = (logits[:, :-1].softmax(-1) + 1e-10).log()
    real = mask[:, :-1] * mask[:, 1:]
    return -(log_q.gather(2, ids[:, 1:, None])[..., 0] * real).sum(), real.sum()


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
unseen.wrong("bug-ready-to-distil", "shared-module")(
    ready_but_for(2, lambda t, s, *ids: all(a is not b for a in t.modules() for b in s.modules()))
)
ready_in_pairs, ready_first_addresses, ready_last_addresses = (
    ready_but_for(2, different)
    for different in (
        lambda t, s, *ids: all(
            p.data_ptr() != q.data_ptr() for p, q in zip(t.parameters(), s.parameters())
        ),
        lambda t, s, *ids: next(t.parameters()).data_ptr() != next(s.parameters()).data_ptr(),
        lambda t, s, *ids: [*t.parameters()][-1].data_ptr() != [*s.parameters()][-1].data_ptr(),
    )
)
for _ready in (ready_in_pairs, ready_first_addresses, ready_last_addresses):
    unseen.wrong("bug-ready-to-distil", "shared-module")(_ready)
unseen.wrong("bug-ready-to-distil", "same-size-same-tokenizer")(
    ready_but_for(3, lambda t, s, a, b: sorted(a.values()) == sorted(b.values()))
)


def padded_kl(teacher, student, words, log=torch.log):
    p, q = (logits[..., :words].softmax(-1) for logits in (teacher, student))
    return (p * (log(p) - log(q))).sum(-1)


@unseen.wrong("bug-padded-kl", "student-gets-no-gradient")
def padded_kl_detached(teacher, student, words):
    return padded_kl(teacher, student.detach(), words)


@unseen.wrong("bug-padded-kl", "student-gets-no-gradient")
def padded_kl_of_arrays(teacher, student, words):
    p, q = (logits[..., :words].detach().softmax(-1).numpy() for logits in (teacher, student))
    return (p * np.log(p / q)).sum(-1)


@unseen.wrong("bug-padded-kl", "floor-in-logarithm")
def padded_kl_floored(teacher, student, words):
    return padded_kl(teacher, student, words, lambda q: (q + 1e-8).log())


@unseen.wrong("bug-padded-kl", "floor-in-logarithm")
def padded_kl_clamped(teacher, student, words):
    return padded_kl(teacher, student, words, lambda q: q.clamp_min(1e-12).log())


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


@pytest.mark.filterwarnings("ignore:reduction")
def test_unseen_mistakes_are_named():
    assert_nine_in_ten(unseen.of_chapter(7))


@pytest.mark.parametrize("answer", [ready_in_pairs, ready_first_addresses, ready_last_addresses])
def test_addresses_that_are_compared_are_not_called_objects(answer):
    assert "object" not in exercise("bug-ready-to-distil").check(answer).seen


@pytest.mark.parametrize(
    "mend", [lambda t: t.eval(), lambda t: t.requires_grad_(False), lambda t: t.zero_grad()]
)
def test_a_check_before_training_changes_nothing(mend):
    e = exercise("bug-ready-to-distil")

    def checked_and_mended(teacher, *others):
        results = e.reference(teacher, *others)
        mend(teacher)
        return results

    verdict = e.check(checked_and_mended)
    assert verdict.misconception == "model-handed-back-changed", verdict
    assert "changes nothing" in verdict.expected


def test_a_check_before_training_changes_no_tokenizer_and_unfreezes_no_student():
    e = exercise("bug-ready-to-distil")

    def tokens_added(teacher, student, teacher_ids, student_ids):
        results = e.reference(teacher, student, teacher_ids, student_ids)
        student_ids.update(teacher_ids)
        return results

    def student_unfrozen(teacher, student, *ids):
        results = e.reference(teacher, student, *ids)
        student.requires_grad_(True)
        return results

    for answer in (tokens_added, student_unfrozen):
        assert e.check(answer).misconception == "model-handed-back-changed"


@pytest.mark.parametrize(
    "agree",
    [
        lambda t, s: all(t.get(token) == id for token, id in s.items()),
        lambda t, s: all(s.get(token) == id for token, id in t.items()),
        lambda t, s: {k.strip(): id for k, id in t.items()} == {k.strip(): s[k] for k in s},
    ],
)
def test_tokenizers_agree_in_all_tokens(agree):
    e = exercise("bug-ready-to-distil")
    verdict = e.check(lambda t, s, a, b: (*e.reference(t, s, a, b)[:3], agree(a, b)))
    assert verdict.misconception == "same-size-same-tokenizer", verdict


def test_two_stop_tokens_in_a_row_are_a_pair():
    def answer(logits, ids, mask, eos):
        real = (mask[:, 1:] * mask[:, :-1]).bool()
        real &= (ids[:, 1:] != eos) | (ids[:, :-1] != eos)
        return token_losses(logits, ids)[real].sum(), real.sum()

    assert exercise("bug-next-token-sum").check(answer).outcome == "wrong"


def test_a_row_of_padding_has_no_pairs():
    def answer(logits, ids, mask, eos):
        real = mask[:, 1:] * mask[:, :-1]
        return (token_losses(logits, ids) * real).sum(), mask.sum() - len(mask)

    assert exercise("bug-next-token-sum").check(answer).outcome == "wrong"


def test_slots_without_a_token_may_have_any_logits():
    def renormalised(teacher_logits, student_logits, words):
        p, q = (x.softmax(-1)[..., :words] for x in (teacher_logits, student_logits))
        p, q = (x / x.sum(-1, keepdim=True) for x in (p, q))
        return (p * (p / q).log()).sum(-1)

    def second_or_third_dimension(teacher_logits, student_logits, words):
        cut = (slice(None),) * min(2, teacher_logits.dim() - 1) + (slice(words),)
        p, log_q = teacher_logits[cut].softmax(-1), student_logits[cut].log_softmax(-1)
        return F.kl_div(log_q, p, reduction="none").sum(-1)

    for answer in (renormalised, second_or_third_dimension):
        assert exercise("bug-padded-kl").check(answer).outcome in ("wrong", "error")


def test_a_loss_of_0_is_a_token():
    def answer(micro_batches):
        count = sum(int((losses > 0).sum()) for losses in micro_batches)
        for losses in micro_batches:
            (losses.sum() / count).backward()
        return torch.cat(micro_batches).sum().item() / count

    assert exercise("bug-accumulate").check(answer).outcome == "wrong"


@pytest.mark.parametrize(
    "length",
    [
        lambda text: sum(1 + (ord(c) > 127) + (ord(c) > 2047) for c in text),
        lambda text: len(unicodedata.normalize("NFC", text).encode()),
        lambda text: len(unicodedata.normalize("NFD", text).encode()),
        lambda text: len("\n".join(text.splitlines()).encode()),
        lambda text: len(text.replace("\r\n", "\n").encode()),
        lambda text: len(text.strip().encode()),
    ],
)
def test_bytes_are_those_of_the_text_as_it_is(length):
    def answer(nats, tokens, text):
        return math.exp(nats / tokens), nats / math.log(2) / length(text)

    assert exercise("bug-two-scores").check(answer).outcome == "wrong"
