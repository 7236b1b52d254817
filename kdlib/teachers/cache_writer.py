"""Writing a cache of a teacher's sparse targets, shard by shard; a stopped writer can continue."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor, nn

from kdlib.data.blocks import Blocks
from kdlib.files import locked, write_atomically
from kdlib.losses.softmax import log_softmax
from kdlib.losses.sparse import KINDS, SparseTargets
from kdlib.machine.progress import progress_bar
from kdlib.teachers.base import Autocast
from kdlib.teachers.cache_format import (
    FORMAT,
    MANIFEST,
    CacheContents,
    block_keys,
    hash_rows,
    index_blocks,
    is_intact,
    read_manifest,
    refuse_other_contents,
)
from kdlib.teachers.packing import pack

# The most that a killed writer loses: minutes of work, with a big teacher on a CPU.
SHARD_TOKENS = 2**16
PASS_TOKENS = 1024  # tokens in one forward pass of the teacher


def write_cache(
    folder: Path,
    contents: CacheContents,
    teacher: nn.Module,
    blocks: Blocks,
    autocast: Autocast = contextlib.nullcontext,
) -> dict[str, Any]:
    """Make the cache, or what is missing of it.

    The draws for a block depend on the seed and its tokens alone, not on what was made before it.

    Args:
        folder: the cache; it is made where it does not exist.
        contents: what it holds (see `cache_contents`).
        teacher: a frozen causal language model of transformers, on its device.
        blocks: the blocks to make targets for; those in the cache already are skipped.
        autocast: of the passes; give the one of the training steps.

    Returns:
        The manifest, of a cache that has all the blocks.

    Raises:
        UserError: as `fill_cache`.
    """

    def read(rows: Tensor) -> list[bytes]:
        with autocast():
            return _packed(teacher, blocks.take(rows), contents)

    return fill_cache(folder, contents, blocks, read)


def fill_cache(
    folder: Path,
    contents: CacheContents,
    blocks: Blocks,
    read: Callable[[Tensor], list[bytes]],
    origin: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Write what is missing of a cache, wherever the targets come from.

    Args:
        folder: the cache; it is made where it does not exist.
        contents: what it holds.
        blocks: the blocks to make targets for; those in the cache already are skipped.
        read: the packed targets of the blocks of these row numbers.
        origin: what the manifest says of a source other than the teacher.

    Returns:
        The manifest, of a cache that has all the blocks.

    Raises:
        UserError: for a folder with other targets, with something that is no cache, or in use by
            another run.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder):
        manifest = _manifest_to_continue(folder, contents)
        # By key: a block that the text holds twice is computed and stored once.
        rows, cached = (
            {key: row for row, key in enumerate(block_keys(blocks))},
            index_blocks(folder, manifest),
        )
        missing = [row for key, row in rows.items() if key not in cached]
        if blocks.lengths is not None:  # a pass reads records of like length, and little padding
            missing.sort(key=blocks.lengths.tolist().__getitem__)
        manifest |= origin or {}
        with progress_bar(
            "teacher targets", len(rows), done=len(rows) - len(missing), unit="block"
        ) as progress:
            missing_rows = torch.tensor(missing, dtype=torch.long)
            for shard_rows in _groups(missing_rows, SHARD_TOKENS, contents.positions):
                started, packed = time.perf_counter(), []
                for group in _groups(shard_rows, PASS_TOKENS, blocks.longest(shard_rows) - 1):
                    packed += read(group)
                    progress.update(len(group))
                # The shard first, then the manifest naming it: a writer killed in between leaves
                # a file that nothing refers to, never a manifest without its file.
                shard = _write_shard(folder, blocks.take(shard_rows), packed)
                shard["seconds"] = round(time.perf_counter() - started, 3)
                # What is in it is right at any moment: readers look for their own blocks.
                _write_manifest(folder, manifest, [*manifest["shards"], shard])
        return manifest


def _groups(rows: Tensor, tokens: int, positions: int) -> tuple[Tensor, ...]:
    """Split rows of so many positions into groups of at most `tokens` tokens, but of one row at
    least."""
    # An empty tensor would be split into one empty group, which would become an empty shard.
    return rows.split(max(1, tokens // positions)) if len(rows) else ()


@torch.no_grad()
def _packed(teacher: nn.Module, blocks: Blocks, contents: CacheContents) -> list[bytes]:
    """The packed targets of a few blocks, T positions each."""
    device: Any = teacher.device
    read = blocks.ids[:, : blocks.longest(slice(None))]
    # The last position predicts a token beyond the block, so its logits are dropped.
    logits = teacher(input_ids=read.to(device), use_cache=False).logits[:, :-1]
    log_p = log_softmax(logits, contents.temperature)
    lengths = [read.shape[1]] * len(blocks) if blocks.lengths is None else blocks.lengths.tolist()
    kept = [
        _keep(row[: length - 1], key, contents)
        for row, key, length in zip(log_p, hash_rows(blocks.ids), lengths, strict=True)
    ]
    return [pack(_stretched(targets, contents.positions), contents.kind) for targets in kept]


def _stretched(targets: SparseTargets, positions: int) -> SparseTargets:
    """Targets for all T positions of a block, from those of a record that ends before: padding
    counts nowhere, and a copy of the last ones is as good as any."""
    places = torch.arange(positions, device=targets.ids.device).clamp(max=len(targets.ids) - 1)
    return targets.map(lambda values: values[places])


def _keep(log_p: Tensor, key: bytes, contents: CacheContents) -> SparseTargets:
    """Keep k tokens of each position that a block has, log_p (.., V); `key` is the block's."""
    if contents.kind != "sampled":
        return KINDS[contents.kind](log_p, contents.k)
    # A generator per block: the draws must not depend on which blocks were processed before.
    # Seven bytes: the seed must fit into torch's signed 64 bits.
    seed = hashlib.blake2b(key + str(contents.seed).encode(), digest_size=7).digest()
    generator = torch.Generator(log_p.device).manual_seed(int.from_bytes(seed))
    return KINDS["sampled"](log_p, contents.k, generator)


def _manifest_to_continue(folder: Path, contents: CacheContents) -> dict[str, Any]:
    """A new manifest, or the folder's own without shards that are lost or damaged."""
    # A writer killed at its very first file leaves only a hidden draft; anything else in a folder
    # without a manifest belongs to someone and is not touched.
    are_drafts = (path.name.startswith(".") for path in folder.iterdir())
    if all(are_drafts):
        new = {"format": FORMAT, "contents": dataclasses.asdict(contents)}
        return _write_manifest(folder, new, [])
    manifest = read_manifest(folder)
    refuse_other_contents(folder, manifest, contents)
    return _write_manifest(
        folder, manifest, [s for s in manifest["shards"] if is_intact(folder, s)]
    )


def _write_shard(folder: Path, blocks: Blocks, packed: list[bytes]) -> dict[str, Any]:
    """Write a shard's file and return its entry in the manifest."""
    data = save(
        {
            "keys": torch.frombuffer(bytearray(b"".join(block_keys(blocks))), dtype=torch.uint8),
            "ends": torch.tensor([len(p) for p in packed]).cumsum(0),
            "payload": torch.frombuffer(bytearray(b"".join(packed)), dtype=torch.uint8),
        }
    )
    # Named by its content: a new shard cannot overwrite another one.
    digest = hashlib.sha256(data).hexdigest()
    name = f"{digest[:16]}.safetensors"
    write_atomically(folder / name, data)
    return {
        "file": name,
        "sha256": digest,
        "bytes": len(data),
        "blocks": len(packed),
        "tokens": blocks.predicted_tokens,
    }


def _write_manifest(
    folder: Path, manifest: dict[str, Any], shards: list[dict[str, Any]]
) -> dict[str, Any]:
    """Write the manifest, with sums over the shards: tokens without padding, bytes per token,
    seconds of the teacher's work."""
    size, tokens, seconds = (
        sum(s[name] for s in shards) for name in ("bytes", "tokens", "seconds")
    )
    manifest |= {
        "tokens": tokens,
        "bytes_per_token": round(size / max(1, tokens), 2),
        "seconds": round(seconds, 3),
        "shards": shards,
    }
    write_atomically(folder / MANIFEST, json.dumps(manifest, indent=1) + "\n")
    return manifest
