"""The chunked loss against the dense one, in value and in every gradient."""

import pytest
import torch
from fused_cases import (
    LABELS,
    PARAMETERS,
    N,
    V,
    assert_equal_to_dense,
    dense_logits,
    gradients,
    numbers,
    student,
    teacher,
)

from kdlib.losses.distillation import distillation_loss
from kdlib.losses.divergences import DIVERGENCES
from kdlib.losses.fused.loss import fused_distillation_loss
from kdlib.losses.objectives import Objective
from kdlib.losses.sparse import sampled, top_k, with_tail


@pytest.mark.parametrize("name", DIVERGENCES)
@pytest.mark.parametrize("temperature", [1.0, 2.5])
@pytest.mark.parametrize("chunk", [1, 3, 7, 100])
def test_every_divergence_equals_the_dense_loss(name, temperature, chunk):
    objective = Objective.from_lambda(
        0.7,
        divergence=name,
        divergence_parameters=PARAMETERS.get(name, {}),
        temperature=temperature,
    )
    assert_equal_to_dense(objective, chunk)


@pytest.mark.parametrize("temperature", [1.0, 2.5])
@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("squared", [True, False])
@pytest.mark.parametrize("bias", [True, False])
def test_weighings_temperatures_and_biases(alpha, temperature, squared, bias):
    objective = Objective.from_alpha(alpha, temperature=temperature, scale_by_t_squared=squared)
    assert_equal_to_dense(objective, 3, bias=bias)


@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_masks_and_weights_and_ignored_labels(temperature):
    objective = Objective.from_lambda(0.7, temperature=temperature)
    mask = torch.tensor([1, 0, 1, 1, 1, 0, 1])
    weights = torch.tensor([1.0, 2.0, 0.0, 0.5, 3.0, 1.0, 0.25], dtype=torch.float64)
    for chosen in (
        {"mask": mask},
        {"token_weights": weights},
        {"mask": mask, "token_weights": weights},
    ):
        assert_equal_to_dense(objective, 2, **chosen)
    assert_equal_to_dense(objective, 2, ignore_index=3)


@pytest.mark.parametrize(
    "settings", [{"scale": 0.3}, {"soft_cap": 2.0}, {"scale": 1.7, "soft_cap": 1.5}]
)
@pytest.mark.parametrize("name", ["forward_kl", "jensen_shannon"])
def test_heads_that_scale_or_cap(settings, name):
    assert_equal_to_dense(Objective.from_lambda(0.7, divergence=name), 3, bias=True, **settings)


@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_given_logits_with_slots_that_do_not_exist(temperature):
    """-inf in the teacher's logits, in finite company: 0 log 0 = 0."""
    logits = numbers(N, V, seed=6)
    logits[:, 4] = -torch.inf
    logits[2, 1:] = -torch.inf  # one-hot
    assert_equal_to_dense(Objective.from_lambda(0.7, temperature=temperature), 3, targets=logits)


@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_a_token_that_only_the_student_excludes(temperature):
    """An infinite total, and the same finite gradient as the dense loss."""
    objective = Objective.from_alpha(1.0, temperature=temperature)
    hidden, head = student(bias=True)
    with torch.no_grad():
        head.bias[4] = -torch.inf
    dense = distillation_loss(
        dense_logits(hidden, head), dense_logits(*teacher()), objective=objective
    )
    ours = fused_distillation_loss(hidden, head, teacher(), objective=objective, chunk=3)
    assert ours.total == dense.total == torch.inf
    for mine, theirs in zip(
        gradients(ours.total, hidden, head), gradients(dense.total, hidden, head)
    ):
        assert mine.isfinite().all()
        torch.testing.assert_close(mine, theirs, rtol=1e-9, atol=1e-12)


SPARSE = {
    "top_k": lambda log_p: top_k(log_p, 4),
    "with_tail": lambda log_p: with_tail(log_p, 4),
    "sampled": lambda log_p: sampled(log_p, 9, torch.Generator().manual_seed(0)),
}


@pytest.mark.parametrize("kind", SPARSE)
@pytest.mark.parametrize("temperature", [1.0, 2.5])
@pytest.mark.parametrize("alpha", [0.3, 1.0])
@pytest.mark.parametrize("weights", [None, torch.tensor([1.0, 2.0, 0.0, 0.5, 3.0, 1.0, 0.25])])
def test_sparse_targets_equal_their_own_divergence(kind, temperature, alpha, weights):
    """Value and gradients against autograd through `SparseTargets.divergence`."""
    objective = Objective.from_alpha(alpha, temperature=temperature)
    targets = SPARSE[kind]((dense_logits(*teacher()) / temperature).log_softmax(-1))
    hidden, head = student(bias=True)
    per_token = torch.ones(N) if weights is None else weights
    logits = dense_logits(hidden, head)
    ce = -(per_token * logits.log_softmax(-1).gather(-1, LABELS[:, None])[:, 0]).sum()
    kd = (per_token * targets.divergence((logits / temperature).log_softmax(-1))).sum()
    expected = (1 - alpha) * ce + alpha * temperature**2 * kd
    ours = fused_distillation_loss(
        hidden, head, targets, LABELS, objective=objective, token_weights=weights, chunk=3
    )
    torch.testing.assert_close(ours.total, expected, rtol=1e-9, atol=1e-12)
    pairs = zip(gradients(ours.total, hidden, head), gradients(expected, hidden, head), strict=True)
    for mine, theirs in pairs:
        torch.testing.assert_close(mine, theirs, rtol=1e-9, atol=1e-12)
