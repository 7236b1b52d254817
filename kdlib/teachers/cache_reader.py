"""Training from a cache: the targets of a batch, read ahead of the step that needs them."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from kdlib.data.blocks import Blocks
from kdlib.errors import UserError
from kdlib.losses.sparse import SparseTargets
from kdlib.teachers.cache_format import (
    CacheContents,
    block_keys,
    index_blocks,
    is_intact,
    read_manifest,
    refuse_other_contents,
)
from kdlib.teachers.packing import unpack
from kdlib.teachers.targets import TeacherTargets


class CachedTargets(TeacherTargets):
    """targets(rows, ids) -> SparseTargets (B, T, k) for the blocks of these row numbers.

    Raises:
        UserError: where the cache is of something else, is not complete, is damaged, or lacks one
            of the blocks.
    """

    reads_ahead = True

    def __init__(self, folder: Path, contents: CacheContents, blocks: Blocks):
        manifest = read_manifest(folder)
        refuse_other_contents(folder, manifest, contents)
        if not manifest["complete"]:
            raise UserError(f"cache: {folder} is not complete; finish it with `kdlib cache`")
        for shard in manifest["shards"]:
            if not is_intact(folder, shard):
                raise UserError(
                    f"cache: {folder / shard['file']} is missing or damaged;"
                    " `kdlib cache` makes it again"
                )
        index = index_blocks(folder, manifest)
        places = [index.get(key) for key in block_keys(blocks)]
        if None in places:
            raise UserError(
                f"cache: {folder} lacks {places.count(None)} of the {len(places)} blocks of this text;"
                " `kdlib cache` adds them"
            )
        self._contents = contents
        self._places = [place for place in places if place is not None]
        self._pool = ThreadPoolExecutor(1, "kdlib-cache")
        self._coming: dict[int, Future[SparseTargets]] = {}

    def prefetch(self, rows: Tensor) -> None:
        for row in rows.tolist():
            if row not in self._coming:
                self._coming[row] = self._pool.submit(self._read, row)

    def __call__(self, rows: Tensor, ids: Tensor) -> SparseTargets:
        coming = [self._coming.pop(row, None) for row in rows.tolist()]
        read = [c.result() if c else self._read(row) for c, row in zip(coming, rows.tolist())]
        stacked: list[Any] = [None if f[0] is None else torch.stack(f) for f in zip(*read)]
        return SparseTargets(*stacked).map(lambda t: t.to(ids.device, non_blocking=True))

    def _read(self, row: int) -> SparseTargets:
        place = self._places[row]
        data = place.payload[place.start : place.end].numpy().tobytes()
        return unpack(data, self._contents.kind, self._contents.positions, self._contents.k)
