"""What lies in a folder that is given as a model, told by its files before any weight is read.

Only full-precision weights of a causal language model in safetensors can be loaded. Anything else
is called by its name, with what to do about it, because a loader may read it as something else:
an adapter as nothing, a quantised matrix as numbers of its own.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from kdlib.errors import UserError

WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")
OTHER_FORMATS = ("*.h5", "*.msgpack", "*.onnx", "*.mlmodel", "*.pb")
# Types in which safetensors store weights that can be trained as they are.
FULL_PRECISION = {"F64", "F32", "F16", "BF16"}
POINTER = b"version https://git-lfs"
NOT_CAUSAL = {
    "ForSequenceClassification": "a classifier or reward model",
    "ForTokenClassification": "a classifier of tokens",
    "ForMultipleChoice": "a classifier",
    "ForQuestionAnswering": "a model that marks answers",
    "ForMaskedLM": "a masked language model",
    "ForPreTraining": "a masked language model",
    "Model": "a base model without an output matrix",
}


def read_settings(folder: Path) -> dict[str, Any]:
    """The content of a model folder's ``config.json``, once the folder can hold a causal model.

    Args:
        folder: the folder that was given as a model.

    Returns:
        The configuration as it is written.

    Raises:
        UserError: for a folder that is no model folder, or the folder of an adapter, a quantised
            model, an encoder-decoder, or weights in another format.
    """
    _refuse_adapter(folder)
    path = folder / "config.json"
    if not path.is_file():
        raise UserError(
            f"model: {folder} is not a model folder (no config.json in it); {_else(folder)}"
        )
    try:
        settings = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(
            f"model: {path} cannot be read: it is not valid JSON; get the file again"
        ) from error
    if not isinstance(settings, dict):
        raise UserError(f"model: {path} is not a configuration (a JSON object); get the file again")
    return settings


def refuse_other_weights(folder: Path, settings: dict[str, Any]) -> None:
    """Refuse weights that cannot be loaded as they are, or would be loaded as something else.

    Args:
        folder: a model folder.
        settings: its configuration (see `read_settings`).

    Raises:
        UserError: for quantised weights, an encoder-decoder, pickles, GGUF and other formats, files
            that are only pointers to the weights, and a folder without weights.
    """
    quantised = _quantisation(settings)
    if quantised:
        raise UserError(
            f"model: {folder} holds quantised weights ({quantised}); give the model that it was"
            " quantised from, or save it dequantised"
        )
    if settings.get("is_encoder_decoder"):
        raise UserError(
            f"model: {folder} holds an encoder-decoder ({architecture(settings)}), which reads a"
            " text in two parts; give a causal language model"
        )
    if not any((folder / name).is_file() for name in WEIGHTS):
        raise UserError(f"model: {folder} has no model.safetensors; {_else(folder)}")
    for path in sorted(folder.glob("*.safetensors")):
        _refuse_file(path)


def architecture(settings: dict[str, Any]) -> str:
    """The architecture that a configuration names, or its kind of model."""
    named = settings.get("architectures") or [settings.get("model_type")]
    return str(named[0]) if isinstance(named, list) and named else "of no named architecture"


def what_it_is(settings: dict[str, Any]) -> str | None:
    """What a folder says it holds, where that is no causal language model; None where it is one."""
    name = architecture(settings)
    if name.endswith(("ForCausalLM", "LMHeadModel")):
        return None
    kinds = (kind for ending, kind in NOT_CAUSAL.items() if name.endswith(ending))
    return next((f"{kind} ({name})" for kind in kinds), None)


def _refuse_adapter(folder: Path) -> None:
    """An adapter is a few matrices that are added to another model's."""
    if (folder / "adapter_config.json").is_file():
        raise UserError(
            f"model: {folder} holds an adapter (PEFT, LoRA), and no model is loaded with one; merge"
            " it first: PeftModel.from_pretrained(...).merge_and_unload().save_pretrained(FOLDER)"
        )


def _quantisation(settings: dict[str, Any]) -> str | None:
    """The method that a configuration names, for the whole model or for a part of it."""
    for part in (settings, *(value for value in settings.values() if isinstance(value, dict))):
        found = part.get("quantization_config") or part.get("compression_config")
        if found:
            method = found.get("quant_method") if isinstance(found, dict) else None
            return str(method or "quantization_config in config.json")
    return None


def _else(folder: Path) -> str:
    """What is in the folder instead, and what can be done about it."""
    if _has(folder, ("*.gguf",)):
        return (
            "its GGUF file is not read as a model; convert it:"
            " AutoModelForCausalLM.from_pretrained(FOLDER, gguf_file=NAME) and save_pretrained"
        )
    if _has(folder, PICKLES):
        return (
            "its weights are pickles, which can run code and are never read; convert them where you"
            " trust them: from_pretrained and save_pretrained write safetensors"
        )
    if _has(folder, OTHER_FORMATS):
        return "its weights are in a format of another library; save them as safetensors"
    if _has(folder, ("*.safetensors",)):
        return "its safetensors have other names; give a folder written by save_pretrained"
    return "give a folder written by save_pretrained, or OWNER/NAME on the hub"


def _has(folder: Path, patterns: tuple[str, ...]) -> bool:
    return any(next(folder.glob(pattern), None) for pattern in patterns)


def _refuse_file(path: Path) -> None:
    """Refuse a file that stands for weights or holds them in a few bits each."""
    with open(path, "rb") as file:
        start = file.read(8)
        if (start + file.read(len(POINTER))).startswith(POINTER):
            raise UserError(
                f"model: {path} is a pointer to the weights (git-lfs), not the weights; fetch them"
                " with: git lfs pull"
            )
        file.seek(8)
        header = file.read(min(int.from_bytes(start, "little"), path.stat().st_size))
    try:
        tensors = json.loads(header)
        few_bits = {
            entry["dtype"]: name
            for name, entry in tensors.items()
            if name.endswith((".weight", "_proj")) and entry["dtype"] not in FULL_PRECISION
        }
    except (ValueError, TypeError, KeyError, AttributeError):
        return  # damaged: the loader says how
    for dtype, name in few_bits.items():
        raise UserError(
            f"model: {path} stores {name} as {dtype}, which is quantised; give the model that it was"
            " quantised from, or save it dequantised"
        )
