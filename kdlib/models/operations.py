"""Count operations: unlike a time, a count is the same on every machine and on every day."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch.utils.flop_counter import FlopCounterMode

from kdlib.models.heads import last_hidden_states, one_text_a_row
from kdlib.models.lora import Adapters, add_adapters

BACKWARD = 2  # gradients of inputs and of weights: two products per product of the forward pass


def operations(act: Callable[[], object]) -> int:
    """Multiplications and additions of all matrix products while a function runs.

    Fused kernels count only if torch knows how many operations they take. On a CPU an LSTM counts
    as 0, and so does attention unless it is made of plain products
    (``attn_implementation="eager"``).

    Args:
        act: the function to run and count.

    Returns:
        The number of operations; a multiplication and an addition are two.
    """
    with FlopCounterMode(display=False, custom_mapping=_UNKNOWN_TO_TORCH) as counter:
        act()
    return int(counter.get_total_flops())


def _added_in_place(sums: torch.Size, left: torch.Size, right: torch.Size, **_: object) -> int:
    """Operations of ``sums += left @ right``, from the three shapes."""
    return 2 * math.prod(left) * right[1]


_UNKNOWN_TO_TORCH = {torch.ops.aten.addmm_: _added_in_place}


class BlockOperations(NamedTuple):
    """Operations of one forward pass over a block of text.

    Attributes:
        body: up to the last hidden states, for every token of the block.
        head: from hidden states to logits, for the tokens that predict: all but the last.
        frozen_backward: of the backward pass, where some weights are frozen and so have no
            gradient; None where all are trained.
    """

    body: int
    head: int
    frozen_backward: int | None = None

    @property
    def forward(self) -> int:
        """Of the whole forward pass."""
        return self.body + self.head

    @property
    def training(self) -> int:
        """Of forward and backward pass.

        Source: Kaplan et al. 2020 (section 2.1), of models all of whose weights are trained.
        """
        backward = self.frozen_backward
        return self.forward + (BACKWARD * self.forward if backward is None else backward)


def block_operations(config: Any, tokens: int, adapters: Adapters | None = None) -> BlockOperations:
    """Count what a model's forward pass over a block takes.

    The model is built without its weights, on torch's "meta" device. So nothing is computed, and
    the count does not depend on which kernels this machine has. Attention counts every score,
    those that the causal mask forbids too.

    Args:
        config: of a causal language model of transformers.
        tokens: of the block, its last one, which predicts nothing, included.
        adapters: those in the model, whose own weights are then frozen; None without.
    """
    model = _without_weights(config, adapters)
    ids = torch.zeros(1, tokens, dtype=torch.long, device="meta")
    body = operations(lambda: last_hidden_states(model, ids))
    with one_text_a_row():
        whole = operations(lambda: model(input_ids=ids, use_cache=False))
    head = (whole - body) // tokens * (tokens - 1)
    if adapters is None:
        return BlockOperations(body, head)
    # Which products a backward pass can do without is for autograd to say: those of the frozen
    # weights' gradients, and of the inputs' below the first adapter. The head has one of its two.
    both = operations(lambda: last_hidden_states(model, ids).sum().backward())
    return BlockOperations(body, head, both - body + head)


def writing_operations(config: Any, prompt: int, new: int, adapters: Adapters | None = None) -> int:
    """Count what it takes a model to write a text, each token read once (with a KV cache).

    Args:
        config: of a causal language model of transformers.
        prompt: tokens of the beginning.
        new: tokens that are written; the last of them is not read.
        adapters: those in the model, if there are any.
    """
    model = _without_weights(config, adapters)
    ids = torch.zeros(1, prompt + new, dtype=torch.long, device="meta")

    def write() -> None:
        cache, read = None, 0
        for until in range(prompt, prompt + new):
            output = model(
                input_ids=ids[:, read:until],
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=1,
            )
            cache, read = output.past_key_values, until

    with torch.no_grad():
        return operations(write)


def _without_weights(config: Any, adapters: Adapters | None) -> Any:
    """The model on the "meta" device, where nothing is computed."""
    # The first import of transformers reseeds torch: a count must not change what is drawn next.
    with torch.random.fork_rng(devices=[]), torch.device("meta"):
        from transformers import AutoModelForCausalLM

        model = AutoModelForCausalLM.from_config(config, trust_remote_code=False)
        return model if adapters is None else add_adapters(model, adapters, seed=0)
