r"""Low-rank adapters (LoRA): a stored model learns while its own weights stay as they are.

Beside a linear layer :math:`W` (H', H) stand two small matrices, and only these are trained:

.. math:: y = W x + \frac{\alpha}{r} B A x, \qquad A \in R^{r \times H}, \; B \in R^{H' \times r}

:math:`B` begins as 0, so the first step sees the model as it was. In the end :math:`\alpha/r \, B A`
is added to :math:`W`, and what is saved is a model like any other. The adapters are peft's, put into
the model itself: it keeps its class, its head and the names of its blocks.

Source: Hu et al. 2021, LoRA (section 4.1).
"""

from __future__ import annotations

import importlib.util
from typing import Any, NamedTuple

import torch
from torch import nn

from kdlib.errors import UserError

ALL = "all-linear"
NAME = "default"  # of the one adapter that peft puts into each layer


class Adapters(NamedTuple):
    """Which layers of a model have adapters, and of what size.

    Attributes:
        rank: r.
        alpha: the update counts alpha / rank times.
        layers: names of the layers, as of ``named_modules``.
    """

    rank: int
    alpha: float
    layers: tuple[str, ...]


def refuse_missing_peft() -> None:
    """Refuse adapters where the package that makes them is not installed.

    Raises:
        UserError: with the command that installs it.
    """
    if importlib.util.find_spec("peft") is None:
        raise UserError("student.lora: peft is not installed; pip install 'kdlib[lora]'")


def plan_adapters(model: nn.Module, rank: int, alpha: float, targets: str) -> Adapters:
    """Find the layers that are to have adapters. The output matrix has none.

    An adapted head would be another matrix than the embedding that it is tied to, and the loss would
    have to store all logits.

    Args:
        model: a causal language model of transformers.
        rank: r, at least 1.
        alpha: the update counts alpha / rank times.
        targets: "all-linear", or the ends of the layers' names, joined by commas.

    Raises:
        UserError: for a model without such layers, a name that no layer has, and a rank beyond the
            smallest of the matrices.
    """
    layers = _linear_layers(model)
    if not layers:
        raise UserError(f"student.lora: a {type(model).__name__} has no linear layers to adapt")
    wanted = [name.strip() for name in targets.split(",")]
    chosen = layers if wanted == [ALL] else {}
    for each in [] if chosen else wanted:
        found = {name: layer for name, layer in layers.items() if f".{name}".endswith(f".{each}")}
        if not each or not found:
            known = ", ".join(sorted({name.rpartition(".")[2] for name in layers}))
            raise UserError(
                f"student.lora.targets: {type(model).__name__} has no layer {each!r} to adapt; use"
                f" {ALL} or some of {known}"
            )
        chosen |= found
    smallest = min(min(layer.weight.shape) for layer in chosen.values())
    if rank > smallest:
        raise UserError(
            f"student.lora.rank: {rank} is beyond the smallest matrix, of rank {smallest}; use less"
        )
    return Adapters(rank, alpha, tuple(name for name in layers if name in chosen))


def _linear_layers(model: Any) -> dict[str, Any]:
    """The matrices of a model that peft can adapt, without the output matrix, by name."""
    from transformers.pytorch_utils import Conv1D  # of GPT-2: a linear layer, transposed

    head = model.get_output_embeddings()
    return {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear | Conv1D) and module is not head
    }


def add_adapters(model: nn.Module, adapters: Adapters, seed: int) -> nn.Module:
    """Freeze a model and put adapters into it, in place.

    Args:
        model: a causal language model of transformers.
        adapters: where, and of what size.
        seed: of the initial A; torch's own random state is left as it was.

    Returns:
        The same model; its only trainable parameters are the adapters'.
    """
    # The first import of peft draws random numbers, so it belongs inside too.
    with torch.random.fork_rng(devices=[]):
        from peft import LoraConfig, inject_adapter_in_model
        from transformers.pytorch_utils import Conv1D

        torch.manual_seed(seed)
        transposed = isinstance(model.get_submodule(adapters.layers[0]), Conv1D)
        config = LoraConfig(
            r=adapters.rank,
            lora_alpha=adapters.alpha,  # type: ignore[arg-type]  # peft computes with fractions, too
            target_modules=list(adapters.layers),
            fan_in_fan_out=transposed,
        )
        inject_adapter_in_model(config, model, adapter_name=NAME)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_("lora_" in name)
    return model


def adapters_of(model: nn.Module) -> Adapters | None:
    """The adapters in a model; None for one without."""
    layers = _adapted(model)
    if not layers:
        return None
    one = next(iter(layers.values()))
    return Adapters(one.r[NAME], one.lora_alpha[NAME], tuple(layers))


@torch.no_grad()
def merge_adapters(model: nn.Module) -> nn.Module:
    """Add the adapters to the weights that they belong to, and take them out, in place.

    Args:
        model: with adapters, or without: then nothing happens.

    Returns:
        The same model, of plain layers.

    Raises:
        ValueError: for adapters that are not finite.
    """
    layers = _adapted(model)
    for name, layer in layers.items():
        layer.merge(safe_merge=True)
        model.set_submodule(name, layer.get_base_layer())
    return model.requires_grad_(True) if layers else model


def _adapted(model: nn.Module) -> dict[str, Any]:
    """The layers of a model that have adapters, by name."""
    return {name: module for name, module in model.named_modules() if hasattr(module, "lora_A")}
