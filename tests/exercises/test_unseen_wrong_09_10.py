"""Unseen mistakes of chapters 9 and 10: nine in ten are named rightly."""

import pytest
import torch
import torch.nn.functional as F
from torch.distributions import Categorical
from unseen import Unseen, assert_nine_in_ten

unseen = Unseen()


def kl(teacher, student, reduction="sum"):
    return F.kl_div(student.log_softmax(-1), teacher.softmax(-1), reduction=reduction)


def written(data, logits, temperature, draw=lambda probs: torch.multinomial(probs, 1)[:, 0]):
    rows = data.clone()
    for t in range(1, data.shape[1]):
        rows[:, t] = draw((logits[rows[:, t - 1]] / temperature).softmax(-1))
    return rows


def mixed(data, own, share):
    return torch.where(torch.rand(len(data), 1) < share, own, data)


@unseen.wrong("mixed-batch", "greedy-for-sampled")
def mixed_batch_greedy(data, logits, share, temperature):
    own = written(data, logits, temperature, lambda probs: probs.max(-1).indices)
    return mixed(data, own, share)


@unseen.wrong("mixed-batch", "prefix-not-extended")
def mixed_batch_at_once(data, logits, share, temperature):
    drawn = Categorical(logits=logits[data[:, :-1]] / temperature).sample()
    return mixed(data, torch.cat([data[:, :1], drawn], 1), share)


@unseen.wrong("mixed-batch", "share-misread")
def mixed_batch_first_rows(data, logits, share, temperature):
    count = round(share * len(data))
    return torch.cat([written(data[:count], logits, temperature), data[count:]])


@unseen.wrong("mixed-batch", "share-misread")
def mixed_batch_turned_round(data, logits, share, temperature):
    return mixed(written(data, logits, temperature), data, share)


def summed(teacher, student, rollout, temperature, *, factor=None, shift=1, stop=True):
    """Token by token; the right result, if nothing is said otherwise."""
    total, count = 0.0, 0
    for row, tokens in enumerate(rollout["tokens"].tolist()):
        for t in range(rollout["prompt_length"], len(tokens)):
            last = tokens[t] == rollout["stop"]
            if stop or not last:
                logits = (
                    teacher[row, t - shift] / temperature,
                    student[row, t - shift] / temperature,
                )
                total, count = total + kl(*logits), count + 1
            if last:
                break
    return total * (temperature**2 if factor is None else factor), count


@unseen.wrong("on-policy-loss", "missing-t-squared")
def on_policy_unscaled(*everything):
    return summed(*everything, factor=1)


@unseen.wrong("on-policy-loss", "stop-token-masked")
def on_policy_without_stop(*everything):
    return summed(*everything, stop=False)


@unseen.wrong("on-policy-loss", "off-by-one")
def on_policy_unshifted(*everything):
    return summed(*everything, shift=0)


@unseen.wrong("on-policy-loss", "temperature-ignored")
def on_policy_only_scaled(teacher, student, rollout, temperature):
    return summed(teacher, student, rollout, 1.0, factor=temperature**2)


@unseen.wrong("on-policy-loss", "whole-for-part")
def on_policy_with_prompt(teacher, student, rollout, temperature):
    return summed(teacher, student, {**rollout, "prompt_length": 1}, temperature)


@unseen.wrong("weak-to-strong-loss", "mean-for-sum")
def weak_batchmean(weak, strong, labels, lambda_):
    truth = F.cross_entropy(strong, labels, ignore_index=-1, reduction="sum")
    return truth + lambda_ * kl(weak.detach(), strong, "batchmean")


@unseen.wrong("weak-to-strong-loss", "unlabelled-counted")
def weak_indexed(weak, strong, labels, lambda_):
    picked = strong.log_softmax(-1)[torch.arange(len(labels)), labels]
    return lambda_ * kl(weak.detach(), strong) - picked.sum()


@unseen.wrong("weak-to-strong-loss", "term-left-out", "unlabelled-counted")
def weak_labelled_only(weak, strong, labels, lambda_):
    known = labels >= 0
    truth = F.cross_entropy(strong[known], labels[known], reduction="sum")
    return truth + lambda_ * kl(weak.detach()[known], strong[known])


def stepped(model, context, user, soft, rate, student=None, loss=None):
    prompt = soft.detach().clone().requires_grad_()

    def read(vectors):
        return torch.cat([vectors.expand(len(user), -1, -1), user], 1)

    with torch.no_grad():
        teacher = model(read(context))
    logits = model(student(prompt) if student else read(prompt))
    value = loss(teacher, logits) if loss else kl(teacher, logits, "batchmean")
    return soft - rate * torch.autograd.grad(value, prompt)[0]


@unseen.wrong("soft-prompt-step", "user-input-dropped")
def soft_prompt_alone(model, context, user, soft, rate):
    def student(prompt):
        return prompt.expand(len(user), -1, -1)

    return stepped(model, context, user, soft, rate, student=student)


@unseen.wrong("soft-prompt-step", "mean-over-vocab")
def soft_prompt_default_reduction(*everything):
    return stepped(*everything, loss=lambda teacher, logits: kl(teacher, logits, "mean"))


unseen.wrong("gap-recovered", "gap-to-the-wrong-end")(0.57)


def per_position(teacher, student, temperature):
    return kl(teacher / temperature, student / temperature, "none").sum(-1)


@unseen.wrong("bug-masked-loss", "padding-counted")
def masked_loss_mean(teacher, student, mask, temperature):
    return (per_position(teacher, student, temperature) * mask).mean() * temperature**2


@unseen.wrong("bug-masked-loss", "temperature-one-side")
def masked_loss_half_softened(teacher, student, mask, temperature):
    losses = kl(teacher, student / temperature, "none").sum(-1)
    return losses[mask.bool()].mean() * temperature**2


@unseen.wrong("bug-masked-loss", "missing-t-squared", "padding-counted")
def masked_loss_two_bugs_left(teacher, student, mask, temperature):
    return per_position(teacher, student, temperature).mean()


@unseen.wrong("bug-masked-loss", "hard-for-soft")
def masked_loss_of_labels(teacher, student, mask, temperature):
    real = mask.bool()
    return F.cross_entropy(student[real], teacher[real].argmax(-1))


@unseen.wrong("bug-next-word-loss", "off-by-one")
def next_word_unshifted(logits, tokens, mask, stop):
    return F.cross_entropy(logits[mask.bool()], tokens[mask.bool()])


@unseen.wrong("bug-next-word-loss", "stop-token-masked")
def next_word_ignoring_stop(logits, tokens, mask, stop):
    return F.cross_entropy(logits[:, :-1].transpose(1, 2), tokens[:, 1:], ignore_index=stop)


@unseen.wrong("bug-soft-targets", "softmax-twice")
def soft_targets_twice(teacher, student):
    return F.kl_div(student.softmax(-1).log_softmax(-1), teacher.softmax(-1), reduction="batchmean")


@unseen.wrong("bug-soft-targets", "divergences-mixed-up", "logits-for-probabilities")
def soft_targets_squared(teacher, student):
    return F.mse_loss(student.softmax(-1), teacher.softmax(-1))


@unseen.wrong("bug-two-directions", "kl-reversed")
def two_directions_exchanged(teacher, student):
    return kl(student, teacher, "none").sum(-1), kl(teacher, student, "none").sum(-1)


@unseen.wrong("bug-small-kl", "half-precision-softmax")
def small_kl_converted_late(teacher, student):
    log_p, log_q = teacher.log_softmax(-1).float(), student.log_softmax(-1).float()
    return (log_p.exp() * (log_p - log_q)).sum(-1)


@unseen.wrong("bug-training-step", "teacher-gets-gradient")
def training_step_without_no_grad(teacher, student, x, rate):
    teacher.eval()
    student.zero_grad()
    loss = kl(teacher(x), student(x), "batchmean")
    loss.backward()
    for parameter in student.parameters():
        parameter.data -= rate * parameter.grad
    return loss.item()


@unseen.wrong("bug-training-step", "student-gets-no-gradient")
def training_step_without_a_step(teacher, student, x, rate):
    teacher.eval()
    with torch.no_grad():
        return kl(teacher(x), student(x), "batchmean").item()


@pytest.mark.filterwarnings("ignore:reduction")
@pytest.mark.parametrize("chapter", [9, 10])
def test_unseen_mistakes_are_named(chapter):
    assert_nine_in_ten(unseen.of_chapter(chapter))
