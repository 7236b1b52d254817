"""Reading a cache of sparse targets in training: a batch's targets, prefetched before its step."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from kdlib.data.blocks import Blocks
from kdlib.errors import UserError
from kdlib.losses.sparse import SparseTargets
from kdlib.teachers.base import TeacherTargets
from kdlib.teachers.cache_format import (
    CacheContents,
    block_keys,
    index_blocks,
    is_intact,
    read_manifest,
    refuse_other_contents,
)
from kdlib.teachers.packing import unpack


class CachedTargets(TeacherTargets):
    """The sparse targets of a cache: ``targets(rows, ids)`` gives those of the blocks ``rows``.

    Args:
        folder: the cache.
        contents: what it must hold.
        blocks: the blocks that row numbers refer to; others in the cache are ignored.

    Attributes:
        reads_ahead: true, `prefetch` reads in the background.

    Raises:
        UserError: for a cache of something else, a damaged one, or one that lacks any of the
            blocks.
    """

    reads_ahead = True

    def __init__(self, folder: Path, contents: CacheContents, blocks: Blocks):
        manifest = read_manifest(folder)
        refuse_other_contents(folder, manifest, contents)
        # Verified before the first step: damage must not end a run after hours of training.
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
                f"cache: {folder} lacks {places.count(None)} of the {len(places)} blocks"
                " of this text;"
                " `kdlib cache` adds them"
            )
        self._contents = contents
        self._places = [place for place in places if place is not None]
        # One thread: it hides the reading behind the step, and keeps the processor for training.
        self._pool = ThreadPoolExecutor(1, "kdlib-cache")
        self._pending: dict[int, Future[SparseTargets]] = {}

    def prefetch(self, rows: Tensor) -> None:
        """Begin to read the targets of these blocks in the background.

        Args:
            rows: (B,) numbers of the blocks.
        """
        for row in rows.tolist():
            if row not in self._pending:
                self._pending[row] = self._pool.submit(self._read, row)

    def __call__(self, rows: Tensor, ids: Tensor, own: Tensor | None = None) -> SparseTargets:
        """The sparse targets of a batch.

        Args:
            rows: (B,) numbers of the blocks.
            ids: (B, S) their tokens; only their number and the device are used.
            own: must be None: nothing is known of what a student writes.

        Returns:
            Targets (B, S - 1, k) on the device of ``ids``.
        """
        assert own is None, "these targets are of the blocks alone"
        # Popped, so that memory holds no more than the prefetched batches. A row that was not
        # prefetched, or that the batch holds twice, is read here.
        pending = [self._pending.pop(row, None) for row in rows.tolist()]
        read = [p.result() if p else self._read(row) for p, row in zip(pending, rows.tolist())]
        # Field by field over the batch; a kind without a tail has None there in every row.
        stacked: list[Any] = [None if f[0] is None else torch.stack(f) for f in zip(*read)]
        read_of = ids.shape[1] - 1  # a batch of short records is cut off behind the longest
        return SparseTargets(*stacked).map(
            lambda t: t[:, :read_of].to(ids.device, non_blocking=True)
        )

    def _read(self, row: int) -> SparseTargets:
        place = self._places[row]
        data = place.payload[place.start : place.end].numpy().tobytes()
        return unpack(data, self._contents.kind, self._contents.positions, self._contents.k)
