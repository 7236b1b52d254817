"""The format of a cache of a teacher's sparse targets: manifest, shards, and how blocks are found.

A cache is written once (`cache_writer`) and read by every epoch and every later run
(`cache_reader`)::

    FOLDER/manifest.json        what the targets are, of which teacher, and which shards there are
    FOLDER/<hash>.safetensors   a shard: the packed targets of some blocks of text, and their keys

A block is found by its key, a hash of its tokens, never by its position in a data set: text in
another order cannot get the targets of other text. A writer that is stopped loses at most one
shard, and continues where it was.
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

FORMAT = 3  # 1 stored no tail; 2 did not know the teacher's configuration
MANIFEST = "manifest.json"
# Settings that name things and change no number that a model computes.
NAMES = {
    "_name_or_path", "name_or_path", "architectures", "auto_map", "transformers_version", "dtype",
    "torch_dtype", "id2label", "label2id", "use_cache", "output_attentions",
    "output_hidden_states", "return_dict",
}  # fmt: skip
KEY_BYTES = 16  # 128 bits: two blocks of a data set never share a key by chance


@dataclass(frozen=True)
class CacheContents:
    """What a cache holds. A cache with other contents is refused; the error names the field.

    Attributes:
        teacher: hash of the teacher's weights.
        configuration: hash of its settings: the same weights compute something else with another
            rotary base, scale, cap or window.
        tokenizer: hash of its tokenizer.
        kind: a key of ``kdlib.losses.sparse.KINDS``.
        k: tokens kept of each distribution, or drawn from it.
        temperature: of the teacher's softmax.
        positions: predicted tokens in a block.
        seed: of the draws.
    """

    teacher: str
    configuration: str
    tokenizer: str
    kind: str
    k: int
    temperature: float
    positions: int
    seed: int


def cache_contents(
    teacher: nn.Module,
    tokenizer: PreTrainedTokenizerFast,
    blocks: Blocks,
    kind: str,
    k: int,
    *,
    temperature: float,
    seed: int,
) -> CacheContents:
    """What a cache of this teacher's targets holds.

    Args:
        teacher: the teacher; its weights are hashed.
        tokenizer: its tokenizer; hashed too.
        blocks: token blocks of the length that the targets are for.
        kind: a key of ``kdlib.losses.sparse.KINDS``.
        k: tokens kept of each distribution, or drawn from it.
        temperature: of the teacher's softmax.
        seed: of the draws.

    Raises:
        UserError: for more likeliest tokens than the vocabulary has (draws may be any number).
    """
    _check_k(teacher, kind, k)
    tokens = hashlib.sha256(tokenizer.backend_tokenizer.to_str().encode())
    return CacheContents(
        teacher=_hash_weights(teacher),
        configuration=_hash_settings(teacher),
        tokenizer=tokens.hexdigest(),
        kind=kind,
        k=k,
        temperature=temperature,
        positions=blocks.ids.shape[1] - 1,
        seed=seed,
    )


def _hash_weights(teacher: nn.Module) -> str:
    """Of the weights, not of a folder's name: another checkpoint there is another teacher."""
    weights = hashlib.sha256()
    # Buffers too: some models route or scale by numbers that are no parameters.
    for name, tensor in sorted(teacher.state_dict().items()):
        weights.update(name.encode())
        # The numbers, however wide they are kept: a narrowed teacher says what it said before.
        tensor = tensor.float() if tensor.dtype == torch.bfloat16 else tensor
        # As bytes: NumPy knows no bfloat16.
        weights.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return weights.hexdigest()


def _hash_settings(teacher: nn.Module) -> str:
    """Of every setting that may change what a model computes, also those of its parts."""
    config: Any = teacher.config
    return hashlib.sha256(_without_names(config.to_dict()).encode()).hexdigest()


def _without_names(settings: dict[str, Any]) -> str:
    """Settings as text, in one order and without names."""

    def kept(value: Any) -> Any:
        if isinstance(value, dict):
            # Keys as JSON has them: a number becomes text once a configuration has been saved.
            return {str(key): kept(part) for key, part in value.items() if key not in NAMES}
        return [kept(part) for part in value] if isinstance(value, list | tuple) else value

    return json.dumps(kept(settings), sort_keys=True, default=str)


def _check_k(teacher: nn.Module, kind: str, k: int) -> None:
    config: Any = teacher.config
    # A tail needs at least one token outside the k; draws repeat, so there is no limit to them.
    most = {"sampled": k, "top_k": config.vocab_size, "with_tail": config.vocab_size - 1}[kind]
    if k > most:
        raise UserError(
            f"targets.k: {k} is more than {kind} can keep of this vocabulary; use at most {most}"
        )


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read the manifest of a cache.

    Args:
        folder: the cache.

    Returns:
        The manifest as a dictionary.

    Raises:
        UserError: for a folder that is no cache, a damaged manifest, or another format.
    """
    path = folder / MANIFEST
    try:
        manifest: dict[str, Any] = json.loads(path.read_text())
        version = manifest["format"]
    except FileNotFoundError:
        raise UserError(f"cache: {folder} is no cache; make one with `kdlib cache`") from None
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"cache: {path} is damaged; delete {folder} and make it again") from error
    if version != FORMAT:
        raise UserError(
            f"cache: {folder} has format {version}, and this version reads {FORMAT}; delete it and"
            " make it again with `kdlib cache`"
        )
    return manifest


class Place(NamedTuple):
    """Where a block's targets are: a slice of a shard's payload, mapped into memory.

    Attributes:
        payload: the shard's payload, a lazily read slice of safetensors.
        start: the first byte.
        end: the byte after the last.
    """

    payload: Any
    start: int
    end: int


def index_blocks(folder: Path, manifest: dict[str, Any]) -> dict[bytes, Place]:
    """Where each block's targets are, by the block's key.

    Args:
        folder: the cache.
        manifest: its manifest, which may leave shards out.
    """
    index = {}
    # Each shard is opened once, whatever the number of blocks; payloads stay on disk until read.
    for shard in manifest["shards"]:
        opened = safe_open(folder / shard["file"], framework="pt")
        keys, ends = opened.get_tensor("keys").numpy().tobytes(), opened.get_tensor("ends").tolist()
        # Only ends are stored: a block's bytes begin where those of the one before it end.
        for row, (start, end) in enumerate(zip([0, *ends], ends)):
            key = keys[row * KEY_BYTES : (row + 1) * KEY_BYTES]
            index[key] = Place(opened.get_slice("payload"), start, end)
    return index


def block_keys(blocks: Blocks) -> list[bytes]:
    """The key of each block (see `hash_rows`)."""
    return [key for rows in blocks.parts() for key in hash_rows(blocks.ids[rows])]


def hash_rows(ids: Tensor) -> list[bytes]:
    """A hash of each row of token ids (N, S), ``KEY_BYTES`` long; the same for every integer dtype.

    Args:
        ids: (N, S) token ids, on any device.
    """
    # int32 whatever the dtype: the bytes that are hashed must depend on the tokens alone.
    rows = ids.cpu().int().numpy()
    return [hashlib.blake2b(row.tobytes(), digest_size=KEY_BYTES).digest() for row in rows]


def is_intact(folder: Path, shard: dict[str, Any]) -> bool:
    """Whether a shard's file exists and has the checksum in its manifest entry.

    Args:
        folder: the cache.
        shard: the shard's entry in the manifest.
    """
    path = folder / shard["file"]
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == str(shard["sha256"])


def refuse_other_contents(folder: Path, manifest: dict[str, Any], wanted: CacheContents) -> None:
    """Refuse a cache that holds anything but the wanted contents.

    Args:
        folder: the cache, for the message.
        manifest: its manifest.
        wanted: what it must hold.

    Raises:
        UserError: for the first field that differs.
    """
    for name, value in dataclasses.asdict(wanted).items():
        held = manifest["contents"].get(name)
        if held != value:
            raise UserError(
                f"cache: {folder} is for {name} {_short(held)}, and {_short(value)} is wanted;"
                " give another folder, or leave it as it was"
            )


def _short(value: object) -> str:
    return f"{value[:12]}…" if isinstance(value, str) and len(value) > 16 else str(value)
