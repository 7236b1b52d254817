"""A teacher's sparse targets on disk: made once, read by every epoch and every run that follows.

    FOLDER/manifest.json        what the targets are, of which teacher, and which shards there are
    FOLDER/<hash>.safetensors   a shard: the packed targets of some blocks of text, and their keys

A block is found by its key, a hash of its tokens, never by its place in a data set: text in another
order cannot be given the targets of other text. A maker that stops loses at most one shard, and goes
on where it was.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from safetensors import safe_open
from torch import Tensor, nn

from kdlib.data.blocks import Blocks
from kdlib.errors import UserError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


FORMAT = 1


MANIFEST = "manifest.json"


KEY_BYTES = 16


@dataclass(frozen=True)
class CacheContents:
    """What a cache holds. Whoever wants anything else is refused, by the field that differs."""

    teacher: str  # hash of its weights
    tokenizer: str  # its hash
    kind: str  # one of `targets.KINDS`
    k: int  # tokens kept of each distribution, or drawn from it
    temperature: float  # of the teacher's softmax
    positions: int  # predicted tokens in a block
    seed: int  # of the draws


def cache_contents(
    teacher: nn.Module,
    tokenizer: PreTrainedTokenizerFast,
    blocks: Blocks,
    kind: str,
    k: int,
    temperature: float,
    seed: int,
) -> CacheContents:
    """What a cache of this teacher's targets for such blocks holds. UserError for a k of the likeliest
    tokens that the vocabulary does not have."""
    _check_k(teacher, kind, k)
    weights = hashlib.sha256()
    for name, parameter in sorted(teacher.named_parameters()):
        weights.update(name.encode())
        weights.update(parameter.detach().cpu().contiguous().view(torch.uint8).numpy().data)
    tokens = hashlib.sha256(tokenizer.backend_tokenizer.to_str().encode())
    positions = blocks.ids.shape[1] - 1
    return CacheContents(
        weights.hexdigest(), tokens.hexdigest(), kind, k, temperature, positions, seed
    )


def _check_k(teacher: nn.Module, kind: str, k: int) -> None:
    config: Any = teacher.config
    most = {"sampled": k, "top_k": config.vocab_size, "with_tail": config.vocab_size - 1}[kind]
    if k > most:
        raise UserError(
            f"targets.k: {k} is more than {kind} can keep of this vocabulary; use at most {most}"
        )


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a cache; UserError where there is none that this version can read."""
    path = folder / MANIFEST
    try:
        manifest: dict[str, Any] = json.loads(path.read_text())
        version = manifest["format"]
    except FileNotFoundError:
        raise UserError(f"cache: {folder} is no cache; make one with `kdlib cache`") from None
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"cache: {path} is damaged; delete {folder} and make it again") from error
    if version != FORMAT:
        raise UserError(f"cache: {folder} has format {version}, this version reads {FORMAT}")
    return manifest


class Place(NamedTuple):
    """Where a block's targets stand: a slice of a shard's payload, mapped into memory."""

    payload: Any
    start: int
    end: int


def index_blocks(folder: Path, manifest: dict[str, Any]) -> dict[bytes, Place]:
    index = {}
    for shard in manifest["shards"]:
        opened = safe_open(folder / shard["file"], framework="pt")
        keys, ends = opened.get_tensor("keys").numpy().tobytes(), opened.get_tensor("ends").tolist()
        for row, (start, end) in enumerate(zip([0, *ends], ends)):
            key = keys[row * KEY_BYTES : (row + 1) * KEY_BYTES]
            index[key] = Place(opened.get_slice("payload"), start, end)
    return index


def block_keys(blocks: Blocks) -> list[bytes]:
    return hash_rows(blocks.ids)


def hash_rows(ids: Tensor) -> list[bytes]:
    rows = ids.cpu().int().numpy()
    return [hashlib.blake2b(row.tobytes(), digest_size=KEY_BYTES).digest() for row in rows]


def select_blocks(blocks: Blocks, rows: Tensor) -> Blocks:
    return dataclasses.replace(blocks, ids=blocks.ids[rows], mask=blocks.mask[rows])


def is_intact(folder: Path, shard: dict[str, Any]) -> bool:
    path = folder / shard["file"]
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == str(shard["sha256"])


def refuse_other_contents(folder: Path, manifest: dict[str, Any], wanted: CacheContents) -> None:
    for name, value in dataclasses.asdict(wanted).items():
        held = manifest["contents"].get(name)
        if held != value:
            raise UserError(
                f"cache: {folder} is for {name} {_short(held)}, and {_short(value)} is wanted;"
                " give another folder, or leave it as it was"
            )


def _short(value: object) -> str:
    return f"{value[:12]}…" if isinstance(value, str) and len(value) > 16 else str(value)
