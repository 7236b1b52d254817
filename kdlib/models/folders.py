"""Model folders: load and save causal language models and their tokenizers.

Only safetensors are read, and a folder's checksums are verified on every load.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from tokenizers import Tokenizer
from torch import nn

from kdlib.data.tokenizer import END_OF_TEXT
from kdlib.errors import UserError
from kdlib.files import atomic_folder, disk_errors_named
from kdlib.models.checksums import verify_checksums, write_checksums
from kdlib.models.vocabularies import trim_vocabulary

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

POCKET_TEACHER = Path(__file__).parent / "pocket_teacher"


def load_model(folder: Path | str) -> nn.Module:
    """Load a causal language model from a folder, in float32. Only safetensors are read.

    Its vocabulary is that of the folder's tokenizer: slots beyond it are cut off (see
    `trim_vocabulary`).

    Args:
        folder: a folder that holds model and tokenizer.

    Returns:
        The model, on the CPU.

    Raises:
        UserError: for a folder that is no model folder, is damaged or cannot be loaded, and for a
            tokenizer with more tokens than the model has output slots.
    """
    model: nn.Module = trim_vocabulary(load_whole_model(folder), load_tokenizer(folder))
    return model


def load_whole_model(folder: Path | str) -> nn.Module:
    """Load the model as it is stored, with the output slots that are no token.

    Args:
        folder: a model folder; it needs no tokenizer.

    Returns:
        The model, in float32 on the CPU.

    Raises:
        UserError: for a folder that is no model folder, is damaged or cannot be loaded.
    """
    from transformers import AutoModelForCausalLM

    _require_model_folder(Path(folder))
    verify_checksums(Path(folder))
    silence_transformers()
    try:
        model: nn.Module = AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.float32, use_safetensors=True, local_files_only=True
        )
    except Exception as error:  # whatever a damaged file makes the loader raise
        raise UserError(f"model: {folder} cannot be loaded: {first_line(error)}") from error
    return model


def stored_slots(folder: Path | str) -> int:
    """How many output slots the model in the folder has; there may be more slots than tokens."""
    from transformers import AutoConfig

    return int(AutoConfig.from_pretrained(folder, local_files_only=True).vocab_size)


def load_tokenizer(folder: Path | str) -> PreTrainedTokenizerFast:
    """Load the tokenizer of a model folder.

    Args:
        folder: a model folder.

    Returns:
        The tokenizer, as transformers' ``PreTrainedTokenizerFast``.

    Raises:
        UserError: for a folder that is no model folder, is damaged or cannot be loaded, and for a
            tokenizer that only runs in Python.
    """
    from transformers import AutoTokenizer

    _require_model_folder(Path(folder))
    verify_checksums(Path(folder))
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except Exception as error:
        raise UserError(f"tokenizer: {folder} cannot be loaded: {first_line(error)}") from error
    if not hasattr(tokenizer, "backend_tokenizer"):
        raise UserError(
            f"tokenizer: {folder} has one that only runs in Python; a tokenizer.json is needed"
        )
    return cast("PreTrainedTokenizerFast", tokenizer)


def silence_transformers() -> None:
    """Turn off transformers' progress bars and advice: small models load in an instant."""
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()


def first_line(error: Exception) -> str:
    """The first line of an error's text, or its class's name where it has none."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _require_model_folder(folder: Path) -> None:
    if not (folder / "config.json").is_file():
        raise UserError(
            f"model: {folder} is not a model folder (no config.json in it);"
            " give a folder written by save_pretrained, or OWNER/NAME on the hub"
        )


def wrap_tokenizer(tokenizer: Tokenizer, context: int) -> PreTrainedTokenizerFast:
    """Wrap a trained tokenizer in the form that transformers' ``AutoTokenizer`` loads.

    Args:
        tokenizer: one that knows ``END_OF_TEXT``.
        context: the longest text in tokens that its model can read.
    """
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
    """Write weights (safetensors), configuration, tokenizer and checksums: all, or no folder.

    Args:
        model: a model of transformers.
        tokenizer: its tokenizer.
        folder: the folder to write; an older one is replaced.
        dtype: in which floating-point weights are stored; None: as they are.

    Raises:
        UserError: where the disk refuses.
    """
    silence_transformers()
    with disk_errors_named(folder), atomic_folder(folder) as draft:
        stored: Any = model if dtype is None else copy.deepcopy(model).to(dtype)
        stored.save_pretrained(draft)
        tokenizer.save_pretrained(draft)
        write_checksums(draft)
