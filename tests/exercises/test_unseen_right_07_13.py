"""Unusual right answers of chapters 7 to 13: other libraries, loops, other types. All must pass."""

import copy
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.special import log_softmax, rel_entr
from torch.distributions import Categorical, kl_divergence
from unseen import Unseen, categoricals

from kdlib.exercises import chapters, exercise

unseen = Unseen()


@unseen.right("bug-next-token-sum")
def next_tokens_of_distributions(logits, ids, mask, eos):
    real = (mask[:, 1:] * mask[:, :-1]).bool()
    (q,) = categoricals(logits[:, :-1][real])
    return -q.log_prob(ids[:, 1:][real]).sum(), np.int64(real.sum())


@unseen.right("bug-ready-to-distil")
def ready_by_storage(teacher, student, teacher_ids, student_ids):
    def memory(model):
        return {p.untyped_storage().data_ptr() for p in model.parameters()}

    return [
        True not in [part.training for part in teacher.modules()],
        True not in [p.requires_grad for p in teacher.parameters()],
        not memory(teacher) & memory(student),
        sorted(teacher_ids.items()) == sorted(student_ids.items()),
    ]


@unseen.right("bug-padded-kl")
def padded_kl_of_distributions(teacher, student, words):
    return kl_divergence(*categoricals(teacher[..., :words], student[..., :words]))


@unseen.right("bug-padded-kl")
def padded_kl_in_a_list(teacher, student, words):
    return [padded_kl_of_distributions(t, s, words) for t, s in zip(teacher, student)]


@unseen.right("bug-accumulate")
def accumulate_weighed_means(micro_batches):
    full = [losses for losses in micro_batches if losses.numel()]
    count = sum(losses.numel() for losses in full)
    mean = sum(losses.mean() * (losses.numel() / count) for losses in full)
    mean.backward()
    return mean.detach().numpy()


@unseen.right("bug-chunked-kl")
def chunked_kl_numpy(hidden_t, head_t, hidden_s, head_s, chunk):
    hidden_t, head_t, hidden_s, head_s = (
        x.double().numpy() for x in (hidden_t, head_t, hidden_s, head_s)
    )
    total = 0.0
    for i in range(0, len(hidden_t), chunk):
        p = log_softmax(hidden_t[i : i + chunk] @ head_t.T, -1)
        total += (np.exp(p) * (p - log_softmax(hidden_s[i : i + chunk] @ head_s.T, -1))).sum()
    return total


@unseen.right("bug-chunked-kl")
def chunked_kl_row_by_row(hidden_t, head_t, hidden_s, head_s, chunk):
    total = torch.zeros((), dtype=torch.float64)
    for t, s in zip(hidden_t, hidden_s):
        total += kl_divergence(*categoricals(head_t @ t, head_s @ s))
    return total


@unseen.right("bug-chunked-kl")
def chunked_kl_of_both_at_once(hidden_t, head_t, hidden_s, head_s, chunk):
    total = 0.0
    for t, s in zip(hidden_t.split(chunk), hidden_s.split(chunk)):
        log_p, log_q = torch.stack([F.linear(t, head_t), F.linear(s, head_s)]).log_softmax(-1)
        total += F.kl_div(log_q, log_p, log_target=True, reduction="sum").item()
    return total


@unseen.right("bug-top-k-and-rest")
def top_k_numpy(log_p, log_q, k):
    order = (-log_p).argsort(-1)
    p, q = (x.double().exp().gather(-1, order).numpy() for x in (log_p, log_q))
    p, q = (np.concatenate([x[..., :k], x[..., k:].sum(-1, keepdims=True)], -1) for x in (p, q))
    return rel_entr(p, q).sum(-1)


@unseen.right("bug-sampled-target")
def sampled_target_one_hots(p, proposal, draws):
    return (F.one_hot(draws, len(p)).double() * (p.double() / proposal.double())).mean(0)


@unseen.right("bug-rows-of-batch")
def rows_by_search(cached_ids, rows, batch_ids):
    return torch.stack([rows[cached_ids.tolist().index(i)] for i in batch_ids.tolist()])


@unseen.right("mixed-batch")
def mixed_batch_in_loops(data, student_logits, share, temperature):
    probs = torch.softmax(student_logits.double() / temperature, -1).numpy()
    rows = data.numpy().copy()
    for row in rows:
        if np.random.uniform() < share:
            for t in range(1, len(row)):
                row[t] = np.random.choice(len(probs), p=probs[row[t - 1]])
    return rows


class NotCached(Exception):
    """An error of the reader's own."""


@unseen.right("bug-rows-of-batch")
def rows_or_an_own_error(cached_ids, rows, batch_ids):
    found = cached_ids == batch_ids[:, None]
    if not found.any(1).all():
        raise NotCached(batch_ids)
    return [rows[i] for i in found.int().argmax(1)]


def counted_up(rows, logits, temperature, own, generator=None):
    for t in range(1, rows.shape[1]):
        probs = (logits[rows[:, t - 1]] / temperature).softmax(-1)
        drawn = torch.multinomial(probs, 1, generator=generator)[:, 0]
        rows[:, t] = torch.where(own, drawn, rows[:, t])
    return rows


@unseen.right("mixed-batch")
def mixed_batch_as_a_list(data, student_logits, share, temperature):
    own = torch.rand(len(data)) < share
    return list(counted_up(data.clone(), student_logits, temperature, own))


@unseen.right("mixed-batch")
def mixed_batch_of_its_own_chance(data, student_logits, share, temperature):
    chance = torch.Generator()
    chance.seed()
    own = torch.rand(len(data), generator=chance) < share
    return counted_up(data.clone(), student_logits, temperature, own, chance)


@unseen.right("mixed-batch")
def mixed_batch_in_place(data, student_logits, share, temperature):
    return counted_up(data, student_logits, temperature, torch.rand(len(data)) < share)


@unseen.right("on-policy-loss")
def on_policy_token_by_token(teacher, student, rollout, temperature):
    total, count = 0.0, 0
    for row, tokens in enumerate(rollout["tokens"].tolist()):
        for t in range(rollout["prompt_length"], len(tokens)):
            p, q = categoricals(
                teacher[row, t - 1] / temperature, student[row, t - 1] / temperature
            )
            total, count = total + kl_divergence(p, q), count + 1
            if tokens[t] == rollout["stop"]:
                break
    return [total * temperature**2, float(count)]


@unseen.right("weak-to-strong-loss")
def weak_to_strong_row_by_row(weak, strong, labels, lambda_):
    loss = 0.0
    for p, q, label in zip(*categoricals_of_rows(weak.detach(), strong), labels.tolist()):
        loss = loss + lambda_ * kl_divergence(p, q) - (q.logits[label] if label >= 0 else 0)
    return loss


def categoricals_of_rows(*logits):
    return [categoricals(*rows) for rows in logits]


@unseen.right("soft-prompt-step")
def soft_prompt_with_a_copy(model, context, user, soft, rate):
    net, prompt, rows = copy.deepcopy(model), torch.nn.Parameter(soft.clone()), len(user)
    with torch.no_grad():
        p = Categorical(logits=net(torch.cat([context.repeat(rows, 1, 1), user], 1)))
    q = Categorical(logits=net(torch.cat([prompt.repeat(rows, 1, 1), user], 1)))
    kl_divergence(p, q).mean().backward()
    return (prompt - rate * prompt.grad).tolist()


@unseen.right("soft-prompt-step")
def soft_prompt_put_back(model, context, user, soft, rate):
    parameters, modes = list(model.parameters()), [part.training for part in model.modules()]
    held = [(p.grad, p.requires_grad) for p in parameters]
    model.eval().requires_grad_(False)
    prompt = soft.clone().requires_grad_()
    log_p, log_q = (
        model(torch.cat([v.expand(len(user), -1, -1), user], 1)).log_softmax(-1)
        for v in (context, prompt)
    )
    F.kl_div(log_q, log_p, reduction="batchmean", log_target=True).backward()
    for part, mode in zip(model.modules(), modes):
        part.training = mode
    for p, (p.grad, asks) in zip(parameters, held):
        p.requires_grad_(asks)
    return prompt.detach() - rate * prompt.grad


@unseen.right("bug-masked-loss")
def masked_loss_average(teacher, student, mask, temperature):
    kl = kl_divergence(*categoricals(teacher / temperature, student / temperature))
    return torch.einsum("bl,bl->", kl, mask.double()) / mask.count_nonzero() * temperature**2


@unseen.right("bug-next-word-loss")
def next_word_loss_ignoring(logits, tokens, mask, stop):
    labels = tokens[:, 1:].masked_fill((mask[:, 1:] * mask[:, :-1]) == 0, -100)
    return F.cross_entropy(logits[:, :-1].transpose(1, 2).double(), labels)


@unseen.right("bug-soft-targets")
def soft_targets_row_by_row(teacher, student):
    rows = zip(teacher, student)
    return torch.stack([kl_divergence(*categoricals(t, s)) for t, s in rows]).mean()


@unseen.right("bug-two-directions")
def two_directions_of_distributions(teacher, student):
    p, q = categoricals(teacher, student)
    return [kl_divergence(p, q).tolist(), kl_divergence(q, p).tolist()]


@unseen.right("bug-training-step")
def training_step_with_a_quiet_copy(teacher, student, x, rate):
    quiet = copy.deepcopy(teacher).eval()
    with torch.no_grad():
        p = Categorical(logits=quiet(x))
    student.zero_grad(set_to_none=False)
    loss = kl_divergence(p, Categorical(logits=student(x))).mean()
    loss.backward()
    for parameter in student.parameters():
        parameter.data -= rate * parameter.grad
    return loss.detach()


@unseen.right("bug-training-step")
def training_step_with_an_optimiser(teacher, student, x, rate):
    with torch.no_grad():
        target = teacher.eval()(x).softmax(-1)
    optimiser = torch.optim.SGD(student.parameters(), lr=rate)
    optimiser.zero_grad()
    loss = F.kl_div(student(x).log_softmax(-1), target, reduction="batchmean")
    loss.backward()
    optimiser.step()
    return loss.item()


@pytest.mark.parametrize(
    ("id", "answer"), unseen.answers, ids=[f.__name__ for _, f in unseen.answers]
)
def test_unusual_right_answers_pass(id, answer):
    verdict = exercise(id).check(answer)
    assert verdict, verdict


@pytest.mark.parametrize("drawn_before", range(0, 60, 3))
def test_chance_alone_makes_no_answer_wrong(drawn_before):
    def mixed_batch(data, student_logits, share, temperature):
        torch.rand(drawn_before)
        own = torch.rand(len(data)) < share
        return counted_up(data.clone(), student_logits, temperature, own)

    assert exercise("mixed-batch").check(mixed_batch)


def test_a_batch_that_is_written_over_is_pointed_out():
    verdict = exercise("mixed-batch").check(mixed_batch_in_place)
    assert "in place" in verdict.note


def test_no_first_check_loads_the_compiler_of_torch():
    """It takes seconds, which a reader would take for a hanging check."""
    ids = [e.id for n in (7, 8, 9, 10, 11) for e in chapters()[n] if e.kind == "code"]
    code = "import sys; from kdlib.exercises import exercise\n"
    code += f"for id in {ids}: assert exercise(id).check(exercise(id).reference)\n"
    code += "assert 'torch._dynamo' not in sys.modules"
    environment = {**os.environ, "KDLIB_PROGRESS_DIR": "off"}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
