"""A small student, its teacher, and the dense loss that the chunked one must equal."""

import torch

from kdlib.losses.distillation import distillation_loss
from kdlib.losses.fused.inputs import Head, HiddenTargets
from kdlib.losses.fused.loss import fused_distillation_loss

N, V, WIDTH, TEACHER_WIDTH = 7, 11, 5, 3
PARAMETERS = {
    "generalized_jsd": {"beta": 0.3},
    "skew_kl": {"alpha": 0.2},
    "skew_reverse_kl": {"alpha": 0.2},
    "alpha_beta": {"alpha": 0.4, "beta": 0.7},
}


def numbers(*shape, seed, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def student(dtype=torch.float64, bias=False, **settings):
    hidden = numbers(N, WIDTH, seed=1).to(dtype).requires_grad_()
    weight = numbers(V, WIDTH, seed=2).to(dtype).requires_grad_()
    shift = numbers(V, seed=3).to(dtype).requires_grad_() if bias else None
    return hidden, Head(weight, shift, **settings)


def teacher(dtype=torch.float64):
    hidden, weight = numbers(N, TEACHER_WIDTH, seed=4), numbers(V, TEACHER_WIDTH, seed=5)
    return HiddenTargets(hidden.to(dtype), Head(weight.to(dtype)))


def dense_logits(hidden, head):
    """The heads' formula once more, written down without chunks."""
    raw = hidden @ head.weight.T
    raw = head.scale * (raw if head.bias is None else raw + head.bias)
    return raw if head.soft_cap is None else head.soft_cap * (raw / head.soft_cap).tanh()


LABELS = torch.tensor([0, 10, 3, 3, 7, 1, 5])


def gradients(total, hidden, head):
    wanted = [t for t in (hidden, head.weight, head.bias) if t is not None]
    return torch.autograd.grad(total, wanted)


def assert_equal_to_dense(objective, chunk, bias=False, rtol=1e-9, targets=None, **settings):
    head_settings = {k: settings.pop(k) for k in ("scale", "soft_cap") if k in settings}
    hidden, head = student(bias=bias, **head_settings)
    targets = teacher() if targets is None else targets
    is_hidden = isinstance(targets, HiddenTargets)
    logits = dense_logits(*targets) if is_hidden else targets
    dense = distillation_loss(
        dense_logits(hidden, head), logits, LABELS, objective=objective, **settings
    )
    ours = fused_distillation_loss(
        hidden, head, targets, LABELS, objective=objective, chunk=chunk, **settings
    )
    torch.testing.assert_close(ours.total, dense.total, rtol=rtol, atol=1e-12)
    torch.testing.assert_close(ours.count, dense.count)
    assert ours.parts.keys() == dense.parts.keys()
    for name in dense.parts:
        torch.testing.assert_close(ours.parts[name], dense.parts[name], rtol=rtol, atol=1e-12)
    expected = gradients(dense.total, hidden, head)
    for mine, theirs in zip(gradients(ours.total, hidden, head), expected, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=rtol, atol=1e-12)
