"""The objective once more in float64 NumPy, with its gradient, and the batches it is tested on."""

from typing import NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import strategies as st

from kdlib.losses.distillation import distillation_loss
from kdlib.losses.objectives import Objective

# ---------------------------------------------------------------- the reference


def adaptive_weight(p, q, mu=0.5):
    order = np.argsort(-p, axis=-1)
    ranked, gap = (np.take_along_axis(x, order, -1) for x in (p, abs(p - q)))
    in_head = np.cumsum(ranked, -1) - ranked < mu
    return (gap * in_head).sum(-1, keepdims=True) / gap.sum(-1, keepdims=True)


def mix(weight, x, y):
    return weight * x + (1 - weight) * y


A, B = 0.3, 0.6  # the parameters alpha and beta wherever there are any

FORMULAS = {  # the terms of D(P, Q) and the derivative of D in q, as the definitions read
    "forward_kl": lambda p, q: (p * np.log(p / q), -p / q),
    "reverse_kl": lambda p, q: (q * np.log(q / p), np.log(q / p) + 1),
    "symmetric_kl": lambda p, q: ((p - q) * np.log(p / q) / 2, (np.log(q / p) + 1 - p / q) / 2),
    "jensen_shannon": lambda p, q: jsd(p, q, 0.5),
    "generalized_jsd": lambda p, q: jsd(p, q, B),
    "skew_kl": lambda p, q: (p * np.log(p / mix(A, p, q)), (A - 1) * p / mix(A, p, q)),
    "skew_reverse_kl": lambda p, q: (
        q * np.log(q / mix(A, q, p)),
        np.log(q / mix(A, q, p)) + 1 - A * q / mix(A, q, p),
    ),
    "alpha_beta": lambda p, q: (
        ((A * p ** (A + B) + B * q ** (A + B)) / (A + B) - p**A * q**B) / (A * B),
        (q ** (A + B - 1) - p**A * q ** (B - 1)) / A,
    ),
    "total_variation": lambda p, q: (abs(p - q) / 2, np.sign(q - p) / 2),
    "hellinger_squared": lambda p, q: ((p**0.5 - q**0.5) ** 2 / 2, (1 - (p / q) ** 0.5) / 2),
    "adaptive_kl": lambda p, q: [
        mix(adaptive_weight(p, q), forward, reverse)
        for forward, reverse in zip(FORMULAS["forward_kl"](p, q), FORMULAS["reverse_kl"](p, q))
    ],
}
PARAMETERS = {
    "generalized_jsd": {"beta": B},
    "skew_kl": {"alpha": A},
    "skew_reverse_kl": {"alpha": A},
    "alpha_beta": {"alpha": A, "beta": B},
}


def jsd(p, q, beta):
    m = mix(beta, p, q)
    return beta * p * np.log(p / m) + (1 - beta) * q * np.log(q / m), (1 - beta) * np.log(q / m)


def softmax(logits):
    e = np.exp(logits - logits.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def reference(batch, name, temperature, label_weight, teacher_weight, t_squared, token_weights):
    """Cross-entropy, distillation, gradient in the student's logits; a token weight may be 0."""
    student, teacher, labels = batch.student.numpy(), batch.teacher.numpy(), batch.labels.numpy()
    q, q_t, p_t = softmax(student), softmax(student / temperature), softmax(teacher / temperature)
    label = np.eye(q.shape[-1])[labels]
    terms, slope = FORMULAS[name](p_t, q_t)
    scale = temperature**2 if t_squared else 1.0
    kd_gradient = q_t * (slope - (q_t * slope).sum(-1, keepdims=True)) / temperature
    per_token = label_weight * (q - label) + teacher_weight * scale * kd_gradient
    return (
        (token_weights * -np.log((q * label).sum(-1))).sum(),
        (token_weights * scale * terms.sum(-1)).sum(),
        token_weights[..., None] * per_token,
    )


# ---------------------------------------------------------------- what the tests share


class Batch(NamedTuple):
    student: torch.Tensor
    teacher: torch.Tensor
    labels: torch.Tensor


def make_batch(rows=3, length=4, vocab=6, seed=0):
    generator = torch.Generator().manual_seed(seed)
    student, teacher = 2 * torch.randn(2, rows, length, vocab, generator=generator).double()
    return Batch(student, teacher, torch.randint(vocab, (rows, length), generator=generator))


def make_mask(rows=3, length=4, seed=0):
    mask = torch.rand(rows, length, generator=torch.Generator().manual_seed(seed)) < 0.6
    assert mask.any() and not mask.all()
    return mask


def run(objective, student, teacher=None, labels=None, mask=None, **rest):
    """The total, the count and the gradient in the student's logits."""
    student = student.detach().clone().requires_grad_()
    loss = distillation_loss(student, teacher, labels, mask, objective=objective, **rest)
    loss.total.backward()
    return loss.total.detach(), loss.count, student.grad


def named(name, **settings):
    return dict(divergence=name, divergence_parameters=PARAMETERS.get(name, {}), **settings)


every_divergence = pytest.mark.parametrize("name", FORMULAS)
some_objective = st.builds(
    lambda name, lambda_, temperature: Objective.from_lambda(
        lambda_, **named(name, temperature=temperature)
    ),
    st.sampled_from(list(FORMULAS)),
    st.floats(0, 3),
    st.floats(0.5, 5),
)
