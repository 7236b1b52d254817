"""What a call leaves behind in a model that was handed to it: before and after, compared."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

Look = Callable[[nn.Module], list[Any]]


def parameters_of(model: nn.Module) -> list[Tensor]:
    return [p.detach().clone() for p in model.parameters()]


def gradients_of(model: nn.Module) -> list[Tensor | None]:
    return [None if p.grad is None else p.grad.clone() for p in model.parameters()]


def holders_of(model: nn.Module) -> list[bool]:
    """Which parameters hold a gradient."""
    return [p.grad is not None for p in model.parameters()]


def flags_of(model: nn.Module) -> list[bool]:
    return [p.requires_grad for p in model.parameters()]


def modes_of(model: nn.Module) -> list[bool]:
    return [part.training for part in model.modules()]


LOOKS: dict[str, Look] = {  # by what has changed in them
    "parameters that have moved": parameters_of,
    "old gradients that have changed": gradients_of,
    "old gradients that are gone": holders_of,
    "parameters that ask for a gradient no more, or now": flags_of,
    "parts of the model in another mode": modes_of,
}


def with_old_gradients(model: nn.Module) -> nn.Module:
    """The model, in which an earlier step has left gradients. Copies of a model have none."""
    for p in model.parameters():
        p.grad = torch.full_like(p, 0.3)
    return model


def changed(*looks: Look, place: int = 0, used: bool = True) -> Callable[..., float | None]:
    """Measures how many things of the model at that place a call has changed.

    looks: what is looked at, e.g. `modes_of`. used: whether it holds gradients from before.
    """

    def measure(answer: Callable[..., Any], *args: Any) -> float | None:
        model = with_old_gradients(args[place]) if used else args[place]
        before = [look(model) for look in looks]
        if answer(*args) is None:
            return None
        after = [look(model) for look in looks]
        return float(sum(_differs(a, b) for pair in zip(before, after) for a, b in zip(*pair)))

    return measure


def _differs(before: Any, after: Any) -> bool:
    """A gradient that came or went is no changed one: `holders_of` tells."""
    if before is None or after is None:
        return False
    return not torch.equal(torch.as_tensor(before), torch.as_tensor(after))
