"""Mistakes as people write them, each beside the property of a correct loss that exposes it.

A probe is a function of a loss: it computes something with it and states what must hold by `same`
or `holds`. Only these two raise `Caught`, so a planted mistake that merely crashes is not caught,
and its test fails.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch

from kdlib.losses.distillation import distillation_loss
from kdlib.losses.objectives import Objective


class Caught(AssertionError):
    """The property does not hold for this loss."""


class Mistake(NamedTuple):
    """`probe(right)` passes, `probe(wrong)` raises Caught."""

    id: str
    probe: Callable
    right: Callable
    wrong: Callable


MISTAKES: list[Mistake] = []


def mistake(id, probe, right):
    """Enter the decorated function as a wrong version of `right`, under an id of the catalogue."""

    def enter(wrong):
        MISTAKES.append(Mistake(id, probe, right, wrong))
        return wrong

    return enter


def holds(truth, what):
    """State that something must be true of the loss."""
    if not bool(truth):
        raise Caught(what)


def same(found, expected, what, rel=1e-4, abs=1e-6):
    """State that two values or tensors must agree; a NaN agrees with nothing."""
    found, expected = (torch.as_tensor(x, dtype=torch.float64).detach() for x in (found, expected))
    if found.shape != expected.shape:
        raise TypeError(f"{what}: shapes {found.shape} and {expected.shape}")
    holds(torch.allclose(found, expected, rel, abs), f"{what}: {found} is not {expected}")


def random_logits(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def gradient(loss, student, *rest, **options):
    """The gradient of the loss in the student's logits."""
    student = student.detach().clone().requires_grad_()
    return torch.autograd.grad(loss(student, *rest, **options), student)[0]


def distillation(student, teacher, mask=None, temperature=1.0):
    """kdlib's own: nats per token."""
    objective = Objective(temperature=temperature)
    return distillation_loss(student, teacher, mask=mask, objective=objective).mean
