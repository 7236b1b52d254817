"""Unseen mistakes of chapter 1: nine in ten are named rightly."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.special import softmax as scipy_softmax
from unseen import Unseen, assert_nine_in_ten

unseen = Unseen()


@unseen.wrong("soften", "temperature-inverted")
def inverted_power(logits, temperature):
    p = torch.softmax(logits, -1) ** temperature
    return p / p.sum(-1, keepdim=True)


@unseen.wrong("soften", "temperature-after-softmax")
def soften_divided_numpy(logits, temperature):
    return scipy_softmax(logits.numpy(), axis=-1) / temperature


@unseen.wrong("soften", "softmax-overflow")
def soften_numpy_naive(logits, temperature):
    with np.errstate(all="ignore"):
        e = np.exp(logits.numpy() / temperature)
        return e / e.sum(-1, keepdims=True)


@unseen.wrong("soften", "softmax-overflow")
def soften_overflow_zeroed(logits, temperature):
    e = torch.exp(logits / temperature)
    return (e / e.sum(-1, keepdim=True)).nan_to_num(0)


@unseen.wrong("soften", "softmax-wrong-axis")
def soften_whole(logits, temperature):
    z = (logits / temperature).double()
    return (z - z.max()).exp() / (z - z.max()).exp().sum()


@unseen.wrong("soften", "temperature-ignored", "temperature-after-softmax")
def soften_then_normalise(logits, temperature):
    p = torch.softmax(logits, -1) / temperature
    return p / p.sum(-1, keepdim=True)


@unseen.wrong("target-entropy", "nats-for-bits")
def entropy_log2(p):
    return -(p * torch.log2(p.clamp_min(1e-30))).sum(-1)


@unseen.wrong("target-entropy", "nats-for-bits")
def entropy_log10(p):
    return -(p * torch.log10(p.clamp_min(1e-30))).sum(-1)


@unseen.wrong("target-entropy", "zero-log-zero")
def entropy_numpy_nan(p):
    with np.errstate(all="ignore"):
        return -np.sum(p.numpy() * np.log(p.numpy()), axis=-1)


@unseen.wrong("target-entropy", "sign-flipped")
def entropy_negative(p):
    return torch.where(p > 0, p * p.log(), 0).sum(-1)


@unseen.wrong("target-entropy", "mean-over-vocab")
def entropy_mean(p):
    return torch.where(p > 0, -p * p.log(), 0).mean(-1)


@unseen.wrong("pairs-told-apart", "double-counting")
def pairs_nested(p, tolerance):
    n = p.shape[-1]
    return (
        sum((p[..., i] - p[..., j]).abs() > tolerance for i in range(n) for j in range(n) if i != j)
        * 1
    )


@unseen.wrong("pairs-told-apart", "top-entry-only")
def pairs_top_loop(p, tolerance):
    return ((p - p.amax(-1, keepdim=True)).abs() > tolerance).sum(-1)


@unseen.wrong("dark-knowledge", "rest-not-renormalised")
def dark_masked(p):
    return p * (1 - F.one_hot(p.argmax(-1), p.shape[-1]))


@unseen.wrong("dark-knowledge", "zero-log-zero")
def dark_numpy_nan(p):
    q = p.clone().numpy()
    np.put_along_axis(q, q.argmax(-1)[..., None], 0, -1)
    with np.errstate(all="ignore"):
        return q / q.sum(-1, keepdims=True)


@unseen.wrong("push", "sign-flipped")
def push_gradient(p, z):
    z = z.clone().requires_grad_()
    (-(p * z.log_softmax(-1)).sum()).backward()
    return z.grad


@unseen.wrong("push", "hard-for-soft")
def push_nll(p, z):
    z = z.clone().requires_grad_()
    words = p.shape[-1]
    F.cross_entropy(z.reshape(-1, words), p.argmax(-1).reshape(-1), reduction="sum").backward()
    return -z.grad


@unseen.wrong("push", "mean-for-sum")
def push_mean_loss(p, z):
    z = z.clone().requires_grad_()
    (-(p * z.log_softmax(-1)).sum() / len(p)).backward()
    return -z.grad


@unseen.wrong("distillation-step-loss", "teacher-gets-gradient")
def step_cross_with_gradient(teacher, student, x, x_short):
    teacher.eval()
    return F.kl_div(student(x_short).log_softmax(-1), teacher(x).softmax(-1), reduction="batchmean")


@unseen.wrong("distillation-step-loss", "teacher-in-train-mode")
def step_detached_only(teacher, student, x, x_short):
    p = teacher(x).detach().log_softmax(-1)
    return F.kl_div(student(x_short).log_softmax(-1), p, reduction="batchmean", log_target=True)


@unseen.wrong("distillation-step-loss", "full-input-for-student")
def step_same_input(teacher, student, x, x_short):
    teacher.eval()
    p = teacher(x).detach().softmax(-1)
    return F.kl_div(student(x).log_softmax(-1), p, reduction="batchmean")


@unseen.wrong("distillation-step-loss", "mean-over-vocab")
def step_default_reduction(teacher, student, x, x_short):
    teacher.eval()
    p = teacher(x).detach().softmax(-1)
    return F.kl_div(student(x_short).log_softmax(-1), p)


@unseen.wrong("distillation-step-loss", "student-gets-no-gradient")
def step_item(teacher, student, x, x_short):
    teacher.eval()
    p = teacher(x).detach().softmax(-1)
    return F.kl_div(student(x_short).detach().log_softmax(-1), p, reduction="batchmean")


@unseen.wrong("distillation-step-loss", "teacher-in-train-mode", "teacher-gets-gradient")
def step_naive(teacher, student, x, x_short):
    p = teacher(x).log_softmax(-1)
    q = student(x_short).log_softmax(-1)
    return (p.exp() * (p - q)).sum(-1).mean()


@unseen.wrong("soften", "softmax-wrong-axis")
def soften_second_last(logits, temperature):
    return F.softmax(logits / temperature, dim=max(-2, -logits.dim()))


@unseen.wrong("push", "softmax-overflow")
def push_naive(p, z):
    return p - z.exp() / z.exp().sum(-1, keepdim=True)


@unseen.wrong("push", "gradient-in-probabilities")
def push_by_the_jacobian(p, z):
    q = z.softmax(-1)
    jacobian = torch.diag_embed(q) - q[..., None] * q[..., None, :]
    return (jacobian @ (p - q)[..., None])[..., 0]


@unseen.wrong("soften", "temperature-after-softmax")
def soften_power_in_logs(logits, temperature):
    return F.normalize(F.softmax(logits, -1).pow(1 / temperature), p=1, dim=-1)


@unseen.wrong("pairs-told-apart", None)
def pairs_at_least(p, tolerance):
    n = p.shape[-1]
    return sum((p[..., i] - p[..., j]).abs() >= tolerance for i in range(n) for j in range(i))


@unseen.wrong("dark-knowledge", "rest-not-renormalised")
def dark_with_a_small_number(p):
    rest = p.scatter(-1, p.argmax(-1, keepdim=True), 0)
    return rest / (rest.sum(-1, keepdim=True) + 1e-8)


@unseen.wrong("dark-knowledge", "rest-not-renormalised")
def dark_with_a_clamp(p):
    rest = p.scatter(-1, p.argmax(-1, keepdim=True), 0)
    return rest / rest.sum(-1, keepdim=True).clamp_min(1e-5)


@unseen.wrong("push", "floor-in-logarithm")
def push_with_a_clamp(p, z):
    z = z.clone().requires_grad_()
    (-(p * z.softmax(-1).clamp_min(1e-9).log()).sum()).backward()
    return -z.grad


@unseen.wrong("push", "floor-in-logarithm", "softmax-overflow")
def push_with_a_plain_logarithm(p, z):
    z = z.clone().requires_grad_()
    (-(p * z.softmax(-1).log()).sum()).backward()
    return -z.grad.nan_to_num(0)


@unseen.wrong("distillation-step-loss", "model-handed-back-changed")
def step_student_left_in_eval(teacher, student, x, x_short):
    teacher.eval()
    student.eval()
    with torch.no_grad():
        p = teacher(x).softmax(-1)
    return F.kl_div(student(x_short).log_softmax(-1), p, reduction="batchmean")


@unseen.wrong("distillation-step-loss", "model-handed-back-changed")
def step_that_clears_gradients(teacher, student, x, x_short):
    teacher.eval()
    student.zero_grad()
    p = teacher(x).detach().softmax(-1)
    return F.kl_div(student(x_short).log_softmax(-1), p, reduction="batchmean")


@unseen.wrong("distillation-step-loss", "student-gets-no-gradient")
def step_as_a_number(teacher, student, x, x_short):
    teacher.eval()
    p = teacher(x).softmax(-1)
    return F.kl_div(student(x_short).log_softmax(-1), p, reduction="batchmean").item()


@unseen.wrong("distillation-step-loss", "floor-in-logarithm")
def step_with_epsilon(teacher, student, x, x_short):
    teacher.eval()
    p = teacher(x).detach().softmax(-1) + 1e-10
    return (p * (p / (student(x_short).softmax(-1) + 1e-10)).log()).sum(-1).mean()


@unseen.wrong("times-smaller", "precision-forgotten")
def smaller_never_by_more_bytes(teacher, student):
    return teacher[0] / student[0] * max(1, teacher[1] / student[1])


@unseen.wrong("times-smaller", None)
def smaller_in_whole_times(teacher, student):
    return teacher[0] * teacher[1] // (student[0] * student[1])


@unseen.wrong("soften", None)
def soften_at_whole_temperatures(logits, temperature):
    return torch.softmax(logits / (int(temperature) if temperature > 1 else temperature), -1)


@unseen.wrong("target-entropy", "floor-in-logarithm")
def entropy_with_a_high_floor(p):
    return -(p * p.clamp_min(1e-4).log()).sum(-1)


@unseen.wrong("dark-knowledge", "rest-not-renormalised")
def dark_over_a_floor(p):
    rest = p * (1 - F.one_hot(p.argmax(-1), p.shape[-1]))
    return rest / rest.sum(-1, keepdim=True).clamp_min(1e-6)


@unseen.wrong("dark-knowledge", None)
def dark_without_the_nearly_likeliest(p):
    rest = p * (1 - F.one_hot((100 * p).round().argmax(-1), p.shape[-1]))
    return (rest / rest.sum(-1, keepdim=True)).nan_to_num(0)


@unseen.wrong("distillation-step-loss", "model-handed-back-changed")
def step_that_is_taken(teacher, student, x, x_short):
    with torch.no_grad():
        target = teacher.eval()(x).softmax(-1)
    loss = F.kl_div(student(x_short).log_softmax(-1), target, reduction="batchmean")
    optimiser = torch.optim.SGD(student.parameters(), lr=0.1)
    loss.backward(retain_graph=True)
    optimiser.step()
    return loss


@pytest.mark.filterwarnings("ignore:reduction")
def test_unseen_mistakes_are_named():
    assert_nine_in_ten(unseen.of_chapter(1))
