"""The compiled element-wise part gives the eager one's loss and gradients, and only where it is chosen."""

import dataclasses

import pytest
import torch

from kdlib.bench.variants import Inputs, Size, fused, fused_compiled, make_inputs
from kdlib.losses.fused import compiled
from kdlib.losses.fused.inputs import Head, HiddenTargets
from kdlib.losses.fused.loss import fused_distillation_loss
from kdlib.losses.objectives import Objective

N, H, V = 37, 6, 53
needs_a_compiler = pytest.mark.skipif(
    not compiled.is_available(torch.device("cpu")), reason="no C++ compiler on this machine"
)


def loss_and_gradients(objective, weights, compile):
    generator = torch.Generator().manual_seed(0)
    hidden, head, teacher = (torch.randn(n, H, generator=generator) for n in (N, V, N))
    hidden.requires_grad_(), head.requires_grad_()
    labels = torch.randint(0, V, (N,), generator=generator)
    labels[5] = -100
    with compiled.use_compiled(compile):
        loss = fused_distillation_loss(
            hidden, Head(head), HiddenTargets(teacher, Head(head.detach().flip(0))), labels,
            objective=objective, token_weights=weights, chunk=16,
        )  # fmt: skip
        loss.total.backward()
    return (
        loss.total,
        loss.parts["cross_entropy"],
        loss.parts["distillation"],
        hidden.grad,
        head.grad,
    )


@needs_a_compiler
@pytest.mark.parametrize("alpha", [1.0, 0.3])
@pytest.mark.parametrize("weighed", [False, True])
def test_compiled_is_eager(alpha, weighed):
    weights = torch.linspace(0, 2, N) if weighed else None
    objective = Objective.from_alpha(alpha)
    for one, two in zip(
        *(loss_and_gradients(objective, weights, choice) for choice in (True, False))
    ):
        torch.testing.assert_close(one, two, atol=1e-5, rtol=1e-5)


@needs_a_compiler
def test_half_precision_is_no_worse_than_eager():
    """Logits are widened in the compiled code instead of before it: the same products, the same
    rounding of the gradient, so the same distance from float64."""
    given = make_inputs(Size(64, 16, 16, 300), torch.bfloat16, torch.device("cpu"))
    exact = Inputs(*(t.detach().double().requires_grad_() for t in given))

    def step(loss, inputs):
        total = loss(inputs)
        return [total.detach(), *torch.autograd.grad(total, (inputs.student, inputs.head))]

    truth = step(fused, exact)
    for compiled_one, eager_one, true in zip(
        step(fused_compiled, given), step(fused, given), truth
    ):
        worse = (compiled_one.double() - true).norm() / (eager_one.double() - true).norm()
        assert worse < 1.1


def test_compiled_serves_only_what_it_was_written_for(monkeypatch):
    asked = []
    monkeypatch.setattr(
        compiled, "_compiled", lambda: lambda *given: asked.append(1) or compiled._fused(*given)
    )
    plain = Objective.from_alpha(0.5)
    for objective, served in (
        (plain, True),
        (dataclasses.replace(plain, temperature=2.0), False),
        (dataclasses.replace(plain, divergence="reverse_kl"), False),
    ):
        asked.clear()
        loss_and_gradients(objective, None, compile=True)
        assert bool(asked) == served


def test_nothing_is_compiled_unless_it_is_asked_for(monkeypatch):
    """Neither by the machine nor by its environment; and no longer than it is asked for."""
    monkeypatch.setenv("KDLIB_COMPILE", "on")
    assert not compiled.uses_compiled()
    with pytest.raises(KeyboardInterrupt), compiled.use_compiled(True):
        with compiled.use_compiled(False):
            assert not compiled.uses_compiled()
        assert compiled.uses_compiled()
        raise KeyboardInterrupt
    assert not compiled.uses_compiled()
