"""Unusual right answers of chapters 7 to 10: other libraries, loops, other types. All must pass."""

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.special import log_softmax, rel_entr
from torch.distributions import Categorical, kl_divergence
from unseen import Unseen, categoricals

from kdlib.exercises import exercise

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


@unseen.right("on-policy-loss")
def on_policy_token_by_token(teacher, student, rollout, temperature):
    total, count = 0.0, 0
    for row, tokens in enumerate(rollout["tokens"].tolist()):
        for t in range(rollout["prompt_length"], len(tokens)):
            p, q = categoricals(
                teacher[row, t - 1] / temperature, student[row, t - 1] / temperature
            )
            total, count = total + float(kl_divergence(p, q)), count + 1
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


@unseen.right("bug-masked-loss")
def masked_loss_average(teacher, student, mask, temperature):
    kl = kl_divergence(*categoricals(teacher / temperature, student / temperature))
    return np.average(kl.numpy(), weights=mask.numpy()) * temperature**2


@unseen.right("bug-next-word-loss")
def next_word_loss_ignoring(logits, tokens, mask, stop):
    labels = tokens[:, 1:].masked_fill((mask[:, 1:] * mask[:, :-1]) == 0, -100)
    return F.cross_entropy(logits[:, :-1].transpose(1, 2).double(), labels)


@unseen.right("bug-soft-targets")
def soft_targets_row_by_row(teacher, student):
    rows = zip(teacher, student)
    return np.mean([float(kl_divergence(*categoricals(t, s))) for t, s in rows])


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


@pytest.mark.parametrize(
    ("id", "answer"), unseen.answers, ids=[f.__name__ for _, f in unseen.answers]
)
def test_unusual_right_answers_pass(id, answer):
    verdict = exercise(id).check(answer)
    assert verdict, verdict
