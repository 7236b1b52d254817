"""A small Llama from scratch: it saves, loads, generates and shards like any other model."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import torch
from torch import nn

from kdlib.errors import UserError

RANDOM_STATE = threading.Lock()  # torch's, of which all threads have the same one


@dataclass(frozen=True)
class ModelSize:
    """The shape of a Llama model built from scratch.

    Raises:
        UserError: for sizes below 1, heads that do not divide the width into even numbers, and a
            standard deviation outside (0, 1).
    """

    width: int
    """Width of the residual stream."""
    layers: int
    """Number of transformer blocks."""
    heads: int
    """Attention heads; must divide the width into an even number."""
    initial_std: float = 0.02
    """Standard deviation of the initial weights; narrow models start faster from more."""

    def __post_init__(self) -> None:
        for name in ("width", "layers", "heads"):
            if getattr(self, name) < 1:
                raise UserError(f"{name}: {getattr(self, name)} is not a size; use 1 or more")
        if not 0 < self.initial_std < 1:
            raise UserError(f"initial_std: {self.initial_std} is not between 0 and 1")
        if self.width % self.heads or (self.width // self.heads) % 2:
            raise UserError(
                f"heads: {self.heads} heads do not divide a width of {self.width} into even parts;"
                " choose heads so that width / heads is an even number"
            )

    @property
    def mlp_width(self) -> int:
        """Width of the gated MLP: 8/3 of the model's, rounded down to a multiple of 32.

        A gated MLP has three matrices, so it has the parameters of a plain one with two matrices
        and 4 times the width. Matrix units prefer the multiple.
        """
        return max(32, self.width * 8 // 3 // 32 * 32)


def new_model(
    size: ModelSize, vocabulary: int, context: int, seed: int, end_of_text: int = 0
) -> nn.Module:
    """A freshly initialised Llama with tied embeddings, in float32.

    The same seed gives the same weights, in several threads, too; torch's own random state is left
    as it was.

    Args:
        size: width, blocks and heads.
        vocabulary: output slots.
        context: the longest text in tokens.
        seed: of the initial weights.
        end_of_text: id of the token at which generated text stops.

    Returns:
        A ``LlamaForCausalLM`` of transformers, on the CPU.
    """
    # Two models that are made at once would take each other's draws. The first import of
    # transformers reseeds torch, so it belongs inside too.
    with RANDOM_STATE, torch.random.fork_rng(devices=[]):
        from transformers import LlamaConfig, LlamaForCausalLM

        torch.manual_seed(seed)
        config = LlamaConfig(
            vocab_size=vocabulary,
            hidden_size=size.width,
            intermediate_size=size.mlp_width,
            num_hidden_layers=size.layers,
            num_attention_heads=size.heads,
            max_position_embeddings=context,
            initializer_range=size.initial_std,
            tie_word_embeddings=True,
            bos_token_id=end_of_text,
            eos_token_id=end_of_text,
            pad_token_id=None,
        )
        return LlamaForCausalLM(config)


def parameter_count(model: nn.Module) -> int:
    """Number of parameters; a tied matrix counts once."""
    # bitsandbytes keeps two numbers of 4 bits in a byte.
    return sum(p.numel() * (2 if p.dtype == torch.uint8 else 1) for p in model.parameters())


def trainable_count(model: nn.Module) -> int:
    """Number of its parameters that are trained; the others are frozen."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)
