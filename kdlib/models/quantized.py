"""A frozen model whose linear layers are kept in 8 or 4 bits, by bitsandbytes.

Embedding, head, norms and biases stay as they are; so do the model's class and settings. The other
weights are rounded, so it is a slightly other model: what it loses is in its own column of a report.

Sources: Dettmers et al. 2022, LLM.int8() (8 bits, outliers apart); Dettmers et al. 2023, QLoRA (4
bits, NormalFloat).
"""

from __future__ import annotations

import importlib.util
from typing import Any

import torch
from torch import nn

from kdlib.errors import UserError

BITS = {"int8": 8, "int4": 4}
OUTLIERS = 6.0  # activations beyond it are multiplied in 16 bits (LLM.int8(), section 3.1)
BLOCK = {"int8": 1, "int4": 64}  # numbers that share a scale; on a CPU, rows must be whole blocks


def refuse_missing_bitsandbytes(dtype: str) -> None:
    """Refuse 8 or 4 bits where the package that makes them is not installed.

    Args:
        dtype: of a teacher, as in a recipe.

    Raises:
        UserError: with the command that installs it.
    """
    if dtype in BITS and importlib.util.find_spec("bitsandbytes") is None:
        raise UserError(
            f"teacher.dtype: {dtype} needs bitsandbytes, which is not installed; pip install"
            " bitsandbytes, or use bfloat16"
        )


@torch.no_grad()
def quantize(model: Any, dtype: str) -> nn.Module:
    """Keep a model's linear layers, but not its head, in 8 or 4 bits, in place.

    In 4 bits, layers whose rows are not whole blocks of 64 stay as they are.

    Args:
        model: frozen, in float32, on the CPU. Its weights are rounded when it is moved to its device.
        dtype: "int8" or "int4".

    Returns:
        The same model.

    Raises:
        UserError: where bitsandbytes is not installed, and for a model without such layers.
        ValueError: for a model with parameters that require gradients.
    """
    refuse_missing_bitsandbytes(dtype)
    if any(parameter.requires_grad for parameter in model.parameters()):
        raise ValueError("model: it is trained, and rounded weights cannot be; call freeze()")
    head = model.get_output_embeddings()
    layers = {
        name: layer
        for name, layer in model.named_modules()
        if type(layer) is nn.Linear and layer is not head and not layer.in_features % BLOCK[dtype]
    }
    if not layers:
        raise UserError(
            f"teacher.dtype: a {type(model).__name__} of this size has no layers that {dtype} could"
            " keep; use bfloat16"
        )
    for name, layer in layers.items():
        model.set_submodule(name, _quantized(layer, BITS[dtype]))
    return model  # type: ignore[no-any-return]


def _quantized(layer: nn.Linear, bits: int) -> Any:
    """A layer of these weights in 8 or 4 bits."""
    import bitsandbytes as bnb

    shape, has_bias = (layer.in_features, layer.out_features), layer.bias is not None
    if bits == 8:
        new = bnb.nn.Linear8bitLt(*shape, has_bias, has_fp16_weights=False, threshold=OUTLIERS)
        new.weight = bnb.nn.Int8Params(layer.weight.data, False, has_fp16_weights=False)
    else:
        new = bnb.nn.Linear4bit(*shape, has_bias, compute_dtype=torch.float32, quant_type="nf4")
        new.weight = bnb.nn.Params4bit(layer.weight.data, requires_grad=False, quant_type="nf4")
    new.bias = layer.bias
    return new.eval()
