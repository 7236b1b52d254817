"""Model folders: load and save causal language models and their tokenizers.

Only safetensors are read, no code in a folder is run, and a folder's checksums are verified on
every load.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from tokenizers import Tokenizer
from torch import nn

from kdlib.data.tokenizer import END_OF_TEXT
from kdlib.errors import UserError, first_line
from kdlib.files import atomic_folder, disk_errors_named
from kdlib.models.checksums import verify_checksums, write_checksums
from kdlib.models.folder_kinds import read_settings, refuse_other_weights
from kdlib.models.lossless import make_neutral, refuse_lossy
from kdlib.models.vocabularies import trim_vocabulary
from kdlib.models.weights import load_complete_weights

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
    folder = Path(folder)
    settings = _check_folder(folder)
    model: nn.Module = trim_vocabulary(_whole_model(folder, settings), _tokenizer(folder))
    return model


def load_whole_model(folder: Path | str) -> nn.Module:
    """Load the model as it is stored, with the output slots that are no token.

    Args:
        folder: a model folder; it needs no tokenizer.

    Returns:
        The model, in float32 on the CPU.

    Raises:
        UserError: for a folder that is no model folder, is damaged or cannot be loaded, and for
            weights that are not those of a causal language model, all of them and finite.
    """
    return _whole_model(Path(folder), _check_folder(Path(folder)))


def stored_slots(folder: Path | str) -> int:
    """How many output slots the model in the folder has; there may be more slots than tokens."""
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    return int(config.vocab_size)


def load_tokenizer(folder: Path | str) -> PreTrainedTokenizerFast:
    """Load the tokenizer of a model folder; it encodes a whole text, and nothing but the text.

    Args:
        folder: a model folder.

    Returns:
        The tokenizer, as transformers' ``PreTrainedTokenizerFast``. What an earlier use has left in
        it is switched off (see `kdlib.models.lossless`).

    Raises:
        UserError: for a folder that is no model folder, is damaged or cannot be loaded, for a
            tokenizer that only runs in Python, and for one that loses a part of a text.
    """
    _check_folder(Path(folder))
    return _tokenizer(Path(folder))


def _check_folder(folder: Path) -> dict[str, Any]:
    """The settings of a model folder whose files are those that were written."""
    settings = read_settings(folder)
    verify_checksums(folder)
    return settings


def _whole_model(folder: Path, settings: dict[str, Any]) -> nn.Module:
    silence_transformers()
    refuse_other_weights(folder, settings)
    return load_complete_weights(folder, settings)


def _tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    from transformers import AutoTokenizer

    silence_transformers()
    try:
        tokenizer = AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
    except BaseException as error:
        # The library is written in Rust, whose panics are no Exception.
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        raise UserError(f"tokenizer: {folder} cannot be loaded: {first_line(error)}") from error
    if not hasattr(tokenizer, "backend_tokenizer"):
        raise UserError(
            f"tokenizer: {folder} has one that only runs in Python; a tokenizer.json is needed"
        )
    fast = cast("PreTrainedTokenizerFast", tokenizer)
    make_neutral(fast.backend_tokenizer)
    try:
        refuse_lossy(fast, folder)
    except UserError:
        raise
    except Exception as error:  # the library's own class is Exception itself
        raise UserError(f"tokenizer: {folder} cannot encode a text: {first_line(error)}") from error
    return fast


def silence_transformers() -> None:
    """Turn off transformers' progress bars and advice: small models load in an instant."""
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()


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
        stored.generation_config = _consistent(stored.generation_config)
        stored.save_pretrained(draft)
        tokenizer.save_pretrained(draft)
        write_checksums(draft)


def _consistent(settings: Any) -> Any:
    """Settings of generation that can be saved: without those that contradict one another.

    Many folders set a temperature and do not sample; transformers loads that, but will not save it.
    """
    from transformers import GenerationConfig

    try:
        settings.validate(strict=True)
    except ValueError:
        names = ("bos_token_id", "eos_token_id", "pad_token_id")
        return GenerationConfig(**{name: getattr(settings, name) for name in names})
    return settings
