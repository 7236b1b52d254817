"""The weights and the tokenizer of the page "Three models", as scripts that the page loads on demand.

A page that is opened from a folder may not fetch a file beside it, but it may add a script. So every
file calls `threeModels.deliver(name, about, numbers)`, and the numbers are a text.

A matrix is stored as whole numbers from -127 to 127 and a scale for each row. Each number is one
character: the 123 smallest, which are the commonest, one that UTF-8 writes as one byte, the others one
of two bytes. That makes 1.15 bytes a weight, where base64 would make 1.33, and all stays below 10 MB.
static/models/weights.js reads it.
"""

from __future__ import annotations

import base64
import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from kdlib.claims.grounds import pocket
from kdlib.models.folders import POCKET_TEACHER, load_model
from kdlib.models.frozen import freeze
from website import small_students

NAMES = ("teacher", *small_students.SMALL)
LARGEST = 127
READ = pocket.BLOCK  # tokens at once: what the small models have read in training
ONE_BYTE = [code for code in range(1, 128) if chr(code) not in '\n\r"\\']
TWO_BYTES = range(0xA1, 0xA1 + 2 * LARGEST + 1 - len(ONE_BYTE))
CODES = np.array([*ONE_BYTE, *TWO_BYTES])  # of 0, 1, -1, 2, -2, ...

Weights = Mapping[str, Tensor]


def write(folder: Path) -> None:
    """Write the scripts; what a folder holds already is overwritten."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files().items():
        (folder / name).write_bytes(text.encode())


@functools.cache
def files() -> dict[str, str]:
    """The scripts by name: the tokenizer, the teacher in pieces, the small models."""
    found = {"tokens.js": _script("tokens", tokens(), "")}
    for name in NAMES:
        weights, whole = weights_of(name), config(name)
        parts = _parts(weights) if name == "teacher" else [dict(weights)]
        for place, part in enumerate(parts):
            about, numbers = packed(part)
            about |= {"model": name, "config": whole, "part": place, "parts": len(parts)}
            found[f"{name}-{place}.js"] = _script(f"{name}-{place}", about, numbers)
    return found


def config(name: str) -> dict[str, Any]:
    """What else than weights a model is: its sizes and constants, by the names of llama.js."""
    found = as_stored(name).config
    rope = found.rope_parameters
    assert rope["rope_type"] == "default" and found.hidden_act == "silu"
    assert found.head_dim * found.num_attention_heads == found.hidden_size
    assert found.tie_word_embeddings and not (found.attention_bias or found.mlp_bias)
    return {
        "width": found.hidden_size,
        "inner": found.intermediate_size,
        "layers": found.num_hidden_layers,
        "heads": found.num_attention_heads,
        "keyHeads": found.num_key_value_heads,
        "vocabulary": found.vocab_size,
        "epsilon": found.rms_norm_eps,
        "theta": rope["rope_theta"],
        "positions": READ,
    }


def weights_of(name: str) -> Weights:
    """The stored weights of a model, a tied head left out."""
    if name != "teacher":
        return small_students.weights_of(name)
    return load_file(POCKET_TEACHER / "model.safetensors")


def as_stored(name: str) -> Any:
    """The model of torch with the weights that are shipped or stored, in float32."""
    return load_model(POCKET_TEACHER) if name == "teacher" else small_students.load(name)


def as_on_the_page(name: str) -> nn.Module:
    """The model of torch with the weights that the page has: its matrices rounded."""
    model = as_stored(name)
    weights = {key: rounded(value.float()) for key, value in weights_of(name).items()}
    left = model.load_state_dict(weights, strict=False)
    assert left.missing_keys in ([], [small_students.TIED]) and not left.unexpected_keys
    return freeze(model)


# ---------------------------------------------------------------- rounding and packing


def quantised(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """Whole numbers (R, C), int8, and a scale for each row (R,); their product is near the matrix."""
    scale = matrix.abs().amax(1) / LARGEST
    scale = scale.where(scale > 0, torch.ones_like(scale))
    return (matrix / scale[:, None]).round().to(torch.int8), scale


def rounded(weight: Tensor) -> Tensor:
    """A matrix as the page has it; a vector is not rounded."""
    if weight.dim() == 1:
        return weight
    numbers, scale = quantised(weight)
    return numbers * scale[:, None]


def packed(weights: Weights) -> tuple[dict[str, Any], str]:
    """A description, with all scales and vectors, and the text of all matrices one after another."""
    tensors, floats, texts, checksum = [], [], [], 0
    for name, weight in weights.items():
        value = weight.float()
        tensors.append([_short(name), list(value.shape)])
        if value.dim() == 1:
            floats.append(value)
            continue
        numbers, scale = quantised(value)
        floats.append(scale)
        texts.append(as_text(numbers.flatten().numpy()))
        checksum += int(numbers.long().abs().sum())
    raw = torch.cat(floats).numpy().astype("<f4").tobytes()
    about = {"tensors": tensors, "floats": base64.b64encode(raw).decode(), "checksum": checksum}
    return about, "".join(texts)


def as_text(numbers: np.ndarray) -> str:
    """Whole numbers from -127 to 127, each as its character."""
    wide = numbers.astype(np.int64)
    places = np.where(wide > 0, 2 * wide - 1, -2 * wide)
    return CODES[places].astype("<u4").tobytes().decode("utf-32-le")


def _short(name: str) -> str:
    """ "model.layers.0.mlp.up_proj.weight" is "layers.0.mlp.up_proj"."""
    return name.removeprefix("model.").removesuffix(".weight")


def _parts(weights: Weights) -> list[dict[str, Tensor]]:
    """A piece for each layer, and one for the rest, so that loading can be seen to go on."""
    found: dict[str, dict[str, Tensor]] = {}
    for name, weight in sorted(weights.items()):
        layer = name.split(".")[2] if ".layers." in name else ""
        found.setdefault(layer, {})[name] = weight
    return list(found.values())


def _script(name: str, about: Mapping[str, Any], numbers: str) -> str:
    """A call with a text that needs no escapes: its characters were chosen so."""
    return (
        f'threeModels.deliver("{name}", {json.dumps(about, separators=(",", ":"))}, "{numbers}");\n'
    )


# ---------------------------------------------------------------- the tokenizer


@functools.cache
def tokens() -> dict[str, Any]:
    """The tokenizer as ids alone: of each byte, of the pairs that are merged, in their order, and more.

    Raises:
        ValueError: for a tokenizer whose merges do not make its tokens one after another.
    """
    stored = json.loads((POCKET_TEACHER / "tokenizer.json").read_text("utf-8"))
    vocabulary, merges = stored["model"]["vocab"], stored["model"]["merges"]
    first = len(vocabulary) - len(merges)
    if any(vocabulary[a + b] != first + place for place, (a, b) in enumerate(merges)):
        raise ValueError("tokenizer: its merges do not make its tokens in their order")
    (end,) = stored["added_tokens"]
    return {
        "bytes": [vocabulary[letter] for letter in _letters()],
        "merges": [vocabulary[half] for pair in merges for half in pair],
        "first": first,
        "end": {"id": end["id"], "text": end["content"]},
    }


def _letters() -> list[str]:
    """The letter that stands for each byte in a byte-level vocabulary (Radford et al. 2019)."""
    shown = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = iter(range(256, 512))
    return [chr(byte) if byte in shown else chr(next(others)) for byte in range(256)]
