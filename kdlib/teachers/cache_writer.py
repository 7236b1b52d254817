"""Making a cache of a teacher's sparse targets, shard by shard; a maker that was stopped goes on."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import save
from torch import Tensor, nn

from kdlib.data.blocks import Blocks
from kdlib.files import locked, write_atomically
from kdlib.losses.softmax import log_softmax
from kdlib.losses.sparse import KINDS, SparseTargets
from kdlib.machine.progress import progress_bar
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
    select_blocks,
)
from kdlib.teachers.packing import pack

if TYPE_CHECKING:
    pass


# What a maker that is killed can lose: minutes, of a big teacher on a processor.
SHARD_TOKENS = 2**16


PASS_TOKENS = 1024  # that the teacher reads at once


def write_cache(
    folder: Path,
    contents: CacheContents,
    teacher: nn.Module,
    blocks: Blocks,
    autocast: Callable[[], contextlib.AbstractContextManager[Any]] = contextlib.nullcontext,
) -> dict[str, Any]:
    """Make the cache, or what is missing of it, and return its manifest.

    The draws for a block follow from the seed and its tokens, not from what was made before it.
    UserError where the folder holds other targets or something that is no cache.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder):
        manifest = _manifest_to_continue(folder, contents)
        rows, made = (
            {key: row for row, key in enumerate(block_keys(blocks))},
            index_blocks(folder, manifest),
        )
        missing = [row for key, row in rows.items() if key not in made]
        with progress_bar(
            "teacher targets", len(rows), done=len(rows) - len(missing), unit="block"
        ) as progress:
            for some in _groups(torch.tensor(missing, dtype=torch.long), SHARD_TOKENS, contents):
                started, packed = time.perf_counter(), []
                for group in _groups(some, PASS_TOKENS, contents):
                    with autocast():
                        packed += _packed(teacher, blocks.ids[group], contents)
                    progress.update(len(group))
                shard = _write_shard(folder, select_blocks(blocks, some), packed)
                shard["seconds"] = round(time.perf_counter() - started, 3)
                _write_manifest(folder, manifest, [*manifest["shards"], shard], complete=False)
        return _write_manifest(folder, manifest, manifest["shards"], complete=True)


def _groups(rows: Tensor, tokens: int, contents: CacheContents) -> tuple[Tensor, ...]:
    """The rows in groups of about so many tokens."""
    return rows.split(max(1, tokens // contents.positions)) if len(rows) else ()


@torch.no_grad()
def _packed(teacher: nn.Module, ids: Tensor, contents: CacheContents) -> list[bytes]:
    """The targets of a few blocks (B, T + 1)."""
    device: Any = teacher.device
    logits = teacher(input_ids=ids.to(device), use_cache=False).logits[:, :-1]
    log_p = log_softmax(logits, contents.temperature)
    return [
        pack(_keep(row, key, contents), contents.kind) for row, key in zip(log_p, hash_rows(ids))
    ]


def _keep(log_p: Tensor, key: bytes, contents: CacheContents) -> SparseTargets:
    if contents.kind != "sampled":
        return KINDS[contents.kind](log_p, contents.k)
    seed = hashlib.blake2b(key + str(contents.seed).encode(), digest_size=7).digest()
    generator = torch.Generator(log_p.device).manual_seed(int.from_bytes(seed))
    return KINDS["sampled"](log_p, contents.k, generator)


def _manifest_to_continue(folder: Path, contents: CacheContents) -> dict[str, Any]:
    """A new one, or the one that is there, without shards that have been lost or damaged."""
    drafts_of_a_maker_killed_early = (path.name.startswith(".") for path in folder.iterdir())
    if all(drafts_of_a_maker_killed_early):
        new = {"format": FORMAT, "contents": dataclasses.asdict(contents)}
        return _write_manifest(folder, new, [], complete=False)
    manifest = read_manifest(folder)
    refuse_other_contents(folder, manifest, contents)
    return manifest | {"shards": [s for s in manifest["shards"] if is_intact(folder, s)]}


def _write_shard(folder: Path, blocks: Blocks, packed: list[bytes]) -> dict[str, Any]:
    """Write the file and return its entry in the manifest."""
    data = save(
        {
            "keys": torch.frombuffer(bytearray(b"".join(block_keys(blocks))), dtype=torch.uint8),
            "ends": torch.tensor([len(p) for p in packed]).cumsum(0),
            "payload": torch.frombuffer(bytearray(b"".join(packed)), dtype=torch.uint8),
        }
    )
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
    folder: Path, manifest: dict[str, Any], shards: list[dict[str, Any]], complete: bool
) -> dict[str, Any]:
    """With the shards' sums: real tokens, what one takes on disk, seconds of the teacher's work."""
    size, tokens, seconds = (
        sum(s[name] for s in shards) for name in ("bytes", "tokens", "seconds")
    )
    manifest |= {
        "complete": complete,
        "tokens": tokens,
        "bytes_per_token": round(size / max(1, tokens), 2),
        "seconds": round(seconds, 3),
        "shards": shards,
    }
    write_atomically(folder / MANIFEST, json.dumps(manifest, indent=1) + "\n")
    return manifest
