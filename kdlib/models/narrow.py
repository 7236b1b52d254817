"""A frozen model's matrices in the bfloat16 that they were stored in, with the numbers of float32.

Most model files hold bfloat16. Widened to float32 they say the same in twice the memory, and under
autocast every product first casts its matrix back: autocast remembers the casts of weights that are
trained, and of no others.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

NARROW = torch.bfloat16


class NarrowLinear(nn.Linear):
    """A linear layer whose weights are widened only for products that want them wide."""

    def forward(self, input: Tensor) -> Tensor:
        """As of ``nn.Linear``, (..., H) -> (..., H'), in the dtype of the products."""
        kind = input.device.type
        if torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind):
            return F.linear(input, self.weight, self.bias)
        bias = None if self.bias is None else self.bias.to(input.dtype)
        return F.linear(input, self.weight.to(input.dtype), bias)


class NarrowEmbedding(nn.Embedding):
    """A table whose rows are widened when they are looked up: what follows is in float32."""

    def forward(self, input: Tensor) -> Tensor:
        """As of ``nn.Embedding``, (...) -> (..., H), in float32."""
        return super().forward(input).float()


# Exactly these classes: what a subclass makes of its weights is not known.
NARROWED: dict[type[nn.Module], type[nn.Module]] = {
    nn.Linear: NarrowLinear,
    nn.Embedding: NarrowEmbedding,
}
WIDE = {narrow: wide for wide, narrow in NARROWED.items()}


def wide_class(module: nn.Module) -> type[nn.Module]:
    """The class that a module had before it was narrowed: it computes the same."""
    return WIDE.get(type(module), type(module))


@torch.no_grad()
def narrow_exactly(model: nn.Module) -> nn.Module:
    """Keep in bfloat16 each matrix that loses nothing by it, in place.

    The model computes the same bits as before, with and without autocast. Biases, norms, and
    matrices that were stored in more digits stay as they are.

    Args:
        model: frozen, in float32. It is for reading only: it cannot be trained.

    Returns:
        The same model.

    Raises:
        ValueError: for a model with parameters that require gradients.
    """
    return _narrow(model, _is_exact)


@torch.no_grad()
def narrow_rounded(model: nn.Module) -> nn.Module:
    """Keep each matrix in bfloat16, rounded where it has more digits, in place.

    Args:
        model: frozen, in float32. It is for reading only: it cannot be trained.

    Returns:
        The same model, of half the memory.

    Raises:
        ValueError: for a model with parameters that require gradients.
    """
    return _narrow(model, lambda numbers: True)


def _narrow(model: nn.Module, may_be: Callable[[Tensor], bool]) -> nn.Module:
    """Keep in bfloat16 each matrix that may be, in place."""
    if any(parameter.requires_grad for parameter in model.parameters()):
        raise ValueError("model: it is trained, and steps in bfloat16 are lost; call freeze()")
    owners: dict[nn.Parameter, list[nn.Module]] = {}
    for module in model.modules():
        for parameter in module.parameters(recurse=False):
            owners.setdefault(parameter, []).append(module)  # a tied matrix has two
    for parameter, modules in owners.items():
        fits = parameter.ndim == 2 and all(type(owner) in NARROWED for owner in modules)
        if fits and parameter.dtype == torch.float32 and may_be(parameter):
            parameter.data = parameter.data.to(NARROW)
            for owner in modules:
                owner.__class__ = NARROWED[type(owner)]
    return model


def _is_exact(numbers: Tensor) -> bool:
    """Whether bfloat16 holds each of them."""
    return torch.equal(numbers.to(NARROW).float(), numbers)
