"""Blocks of a large text: its tokens stay on the disk, and a batch reads its rows of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from torch import Tensor

from kdlib.data.blocks import Blocks
from kdlib.data.shards import ENDS, IDS, Shard
from kdlib.errors import UserError

# The values of a stretch of the stream, of which the places from one to another are asked for.
Read = Callable[[int, int], Tensor]


class Stream:
    """The tokens of a text from end to end, mapped into memory: a separator, then each document and
    its separator.

    Args:
        folder: of the shards.
        shards: their entries in the manifest, in the text's order.
        separator: id of the token between documents.

    Attributes:
        tokens: how many there are.
        ends: (D,) int64, where the separator behind each document is.
    """

    def __init__(self, folder: Path, shards: list[Shard], separator: int):
        self._separator = separator
        self._parts = [_open(folder / shard["file"]) for shard in shards]
        self._starts = 1 + np.cumsum([0, *(shard["tokens"] for shard in shards)])
        self.tokens = int(self._starts[-1])
        self.ends = np.concatenate(
            [opened.get_tensor(ENDS).numpy() + at for opened, at in zip(self._parts, self._starts)]
        )

    def ids(self, begin: int, end: int) -> Tensor:
        """Token ids (end - begin,) int64; before and behind the text is the separator."""
        found = torch.full((end - begin,), self._separator)
        first = int(np.searchsorted(self._starts, begin, side="right")) - 1
        for number in range(max(0, first), len(self._parts)):
            start, stop = (int(place) for place in self._starts[number : number + 2])
            if start >= end:
                break
            part = slice(max(begin, start) - start, min(end, stop) - start)
            if part.stop > part.start:
                tokens = self._parts[number].get_slice(IDS)[part.start : part.stop]
                found[start + part.start - begin :][: len(tokens)] = tokens
        return found

    def mask(self, begin: int, end: int) -> Tensor:
        """1 for a token, 0 for what is behind the text: (end - begin,) int64."""
        return (torch.arange(begin, end) < self.tokens).long()

    def document(self, begin: int, end: int) -> Tensor:
        """The number of each token's document (end - begin,) int32, as `make_blocks` counts them."""
        numbers = np.searchsorted(self.ends, np.arange(begin, end))
        return torch.from_numpy(np.minimum(numbers, len(self.ends) - 1).astype(np.int32))


def _open(path: Path) -> Any:
    try:
        return safe_open(path, framework="pt")
    except Exception as error:  # safetensors and the system have errors of their own
        raise UserError(f"text: the shard {path} cannot be read ({error}); delete it") from error


class StoredRows(torch.Tensor):
    """Rows of a stream, as a tensor (N, length + 1) that is not in memory.

    ``rows[some]`` and ``rows[some, columns]`` give tensors that are; whatever else is asked of it
    is refused, or it would be read as a whole without a word.

    Args:
        read: the stream.
        shape: (N, length + 1); neighbouring rows overlap by one.
        dtype: of what is read.
    """

    _read: Read

    @staticmethod
    def __new__(cls, read: Read, shape: tuple[int, int], dtype: torch.dtype) -> StoredRows:
        made: StoredRows = torch.Tensor._make_wrapper_subclass(cls, shape, dtype=dtype)
        made._read = read
        return made

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        # Not a TypeError, of which Python makes an operator that the other side may know: x == y.
        raise RuntimeError(f"{function}: these rows are on the disk; read some of them, rows[some]")

    def __repr__(self, *, tensor_contents: Any = None) -> str:  # type: ignore[override]
        return f"StoredRows{tuple(self.shape)}"

    def __getitem__(self, key: Any) -> Tensor:
        rows, columns = key if isinstance(key, tuple) else (key, slice(None))
        if isinstance(rows, int):
            return self._row(rows)[0, columns]
        if isinstance(rows, slice):
            first, last, step = rows.indices(len(self))
            if step == 1:
                return self._stretch(first, max(first, last))[:, columns]
            rows = torch.arange(first, last, step)
        rows = rows.nonzero().squeeze(-1) if rows.dtype == torch.bool else rows
        return torch.cat([self._stretch(0, 0), *map(self._row, rows.tolist())])[:, columns]

    def _row(self, row: int) -> Tensor:
        """One row, (1, length + 1)."""
        if not -len(self) <= row < len(self):
            raise IndexError(f"row {row} of {len(self)}")
        row %= len(self)
        return self._stretch(row, row + 1)

    def _stretch(self, first: int, last: int) -> Tensor:
        """Neighbouring rows, (last - first, length + 1)."""
        length = self.shape[1] - 1
        if first >= last:
            return torch.empty((0, length + 1), dtype=self.dtype)
        flat = self._read(first * length, last * length + 1)
        return flat.unfold(0, length + 1, length).contiguous()


def is_stored(blocks: Blocks) -> bool:
    """Whether blocks are on the disk."""
    return isinstance(blocks.ids, StoredRows)


def stored_blocks(stream: Stream, size: int, length: int) -> Blocks:
    """The blocks of a text on the disk: the same as `make_blocks` makes of it in memory.

    Args:
        stream: its tokens.
        size: UTF-8 bytes of the text.
        length: tokens predicted per block; a block holds one more.
    """
    shape = (-(-(stream.tokens - 1) // length), length + 1)
    return Blocks(
        StoredRows(stream.ids, shape, torch.int64),
        StoredRows(stream.mask, shape, torch.int64),
        size,
        StoredRows(stream.document, shape, torch.int32),
    )
