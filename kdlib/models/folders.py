"""Teachers and students: small Llama models from scratch, or causal language models from a folder.

A model from scratch is a `LlamaForCausalLM`, so it saves, loads, generates and shards like any other.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from tokenizers import Tokenizer
from torch import nn

from kdlib.data.tokenizer import END_OF_TEXT
from kdlib.errors import UserError
from kdlib.files import atomic_folder, disk_errors_named
from kdlib.models.checksums import check_seal, seal
from kdlib.models.vocabularies import trim

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

POCKET_TEACHER = Path(__file__).parent / "pocket_teacher"


@dataclass(frozen=True)
class ModelSize:
    """The shape of a Llama model built from scratch."""

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
        """8/3 of the width (a gated MLP has three matrices where a plain one of 4x has two),
        rounded down to a multiple of 32 for the matrix units."""
        return max(32, self.width * 8 // 3 // 32 * 32)


def new_model(
    size: ModelSize, vocabulary: int, context: int, seed: int, end_of_text: int = 0
) -> nn.Module:
    """A freshly initialised Llama with tied embeddings, in float32; the same seed, the same weights.

    end_of_text: the token where a generated text stops.
    """
    # The first import of transformers reseeds torch, so it too stands inside.
    with torch.random.fork_rng(devices=[]):
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


def load_model(folder: Path | str) -> nn.Module:
    """A causal language model out of a folder, in float32. Only safetensors are read.

    Its vocabulary is that of the folder's tokenizer: slots beyond it are cut off (see `trim`).
    """
    model: nn.Module = trim(load_whole_model(folder), load_tokenizer(folder))
    return model


def load_whole_model(folder: Path | str) -> nn.Module:
    """The model as it is stored, with the output slots that are no token."""
    from transformers import AutoModelForCausalLM

    _require_model_folder(Path(folder))
    check_seal(Path(folder))
    quiet()
    try:
        model: nn.Module = AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.float32, use_safetensors=True, local_files_only=True
        )
    except Exception as error:  # whatever a damaged file makes the loader raise
        raise UserError(f"model: {folder} cannot be loaded: {first_line(error)}") from error
    return model


def stored_slots(folder: Path | str) -> int:
    """How many output slots the model in the folder has, which may be more than it has tokens."""
    from transformers import AutoConfig

    return int(AutoConfig.from_pretrained(folder, local_files_only=True).vocab_size)


def load_tokenizer(folder: Path | str) -> PreTrainedTokenizerFast:
    """The tokenizer of a model folder, as transformers' `PreTrainedTokenizerFast`."""
    from transformers import AutoTokenizer

    _require_model_folder(Path(folder))
    check_seal(Path(folder))
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except Exception as error:
        raise UserError(f"tokenizer: {folder} cannot be loaded: {first_line(error)}") from error
    if not hasattr(tokenizer, "backend_tokenizer"):
        raise UserError(
            f"tokenizer: {folder} has one that only runs in Python; a tokenizer.json is needed"
        )
    return cast("PreTrainedTokenizerFast", tokenizer)


def quiet() -> None:
    """No bars and no advice from transformers: a model of some megabytes loads in an instant."""
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()


def first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _require_model_folder(folder: Path) -> None:
    if not (folder / "config.json").is_file():
        raise UserError(
            f"model: {folder} is not a model folder (no config.json in it);"
            " give a folder written by save_pretrained, or OWNER/NAME on the hub"
        )


def wrap_tokenizer(tokenizer: Tokenizer, context: int) -> PreTrainedTokenizerFast:
    """A trained tokenizer in the form that `AutoTokenizer` loads."""
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=END_OF_TEXT,
        bos_token=END_OF_TEXT,
        model_max_length=context,
        clean_up_tokenization_spaces=False,
    )


def save_model(
    model: nn.Module,
    tokenizer: PreTrainedTokenizerFast,
    folder: Path,
    dtype: torch.dtype | None = None,
) -> None:
    """Write weights (safetensors), configuration and tokenizer; all of them, or no folder at all."""
    quiet()
    with disk_errors_named(folder), atomic_folder(folder) as draft:
        stored: Any = model if dtype is None else copy.deepcopy(model).to(dtype)
        stored.save_pretrained(draft)
        tokenizer.save_pretrained(draft)
        seal(draft)


def parameter_count(model: nn.Module) -> int:
    """Parameters, a tied matrix counted once."""
    return sum(p.numel() for p in model.parameters())


def freeze(teacher: nn.Module) -> nn.Module:
    """Eval mode and no gradients. `eval()` alone would still build a graph for backward."""
    return teacher.eval().requires_grad_(False)


def check_pair(teacher: nn.Module, student: nn.Module, *, same_tokens: bool = True) -> None:
    """Refuse a pair that would train without complaint and teach nothing.

    Raises UserError where the teacher is in training mode or would receive gradients, where the two
    share parameters, and where their vocabularies differ in size.
    """
    if teacher.training:
        raise UserError("teacher: it is in training mode, so dropout would blur it; call freeze()")
    if any(p.requires_grad for p in teacher.parameters()):
        raise UserError("teacher: its parameters require gradients; call freeze()")
    if {p.data_ptr() for p in teacher.parameters()} & {p.data_ptr() for p in student.parameters()}:
        raise UserError("student: it shares parameters with the teacher; build or load it apart")
    configs: list[Any] = [teacher.config, student.config]
    sizes = [config.vocab_size for config in configs]
    if same_tokens and sizes[0] != sizes[1]:
        raise UserError(
            f"student: its vocabulary has {sizes[1]} entries, the teacher's {sizes[0]};"
            " both must use the teacher's tokenizer"
        )
