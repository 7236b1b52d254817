"""An index of shingles: which of some documents have which.

A text has one shingle for each of its words. So those of large texts are sorted a share at a time,
and kept in files without a name, of which memory holds what was looked up last.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kdlib.data import stored_text
from kdlib.data.document import Document, characters
from kdlib.data.shingles import once, shingle_parts
from kdlib.files import disk_errors_named, user_cache

# A document that is shorter than this counts as this long beside a long one: a line that many
# documents quote makes none of them a copy.
SHORT = 64  # shingles
# Of the documents that share a shingle, such as a licence's: enough to find a copy of one of them,
# and few enough that a thousand forms of one letter are compared in seconds.
MOST_HOLDERS = 50
TOGETHER = 2**20  # shingles that are sorted, or looked through, at a time
_PAIR = np.dtype([("shingle", np.uint64), ("holder", np.int32)])


class ShingleIndex:
    """Which of some documents have which shingles.

    Args:
        documents: in the order in which those that share a shingle are named.

    Attributes:
        sizes: (D,) int64, how many different shingles each document has.
        known: (K,) uint64, all shingles of the documents, ascending.
    """

    def __init__(self, documents: list[Document]):
        self._documents = documents
        size = characters(documents)
        large = size >= stored_text.LARGE
        folder = user_cache() if large else None
        self.sizes = np.zeros(len(documents), np.int64)
        with _folder(folder):
            known, first, holders = (
                _Pile(each, folder) for each in (np.uint64, np.int64, np.int32)
            )
            # A word has some six characters.
            for share in _in_shares(documents, 1 + size // 6 // TOGETHER if large else 1, folder):
                pairs = _sorted(share.joined())
                self.sizes += np.bincount(pairs["holder"], minlength=len(documents))
                new = np.flatnonzero(_differs(pairs["shingle"]))
                known.add(pairs["shingle"][new])
                first.add(holders.length + new)
                holders.add(pairs["holder"])
            first.add(np.array([holders.length]))
        self.known: NDArray[np.uint64] = known.joined()
        # Of each known one the place of its first holder, and where the last one's end.
        self._first: NDArray[np.int64] = first.joined()
        self._holders: NDArray[np.int32] = holders.joined()

    def places(self, wanted: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Where shingles stand among the known ones; the unknown are left out.

        Args:
            wanted: ascending.
        """
        if not len(self.known):
            return np.empty(0, np.int64)
        places = np.minimum(np.searchsorted(self.known, wanted), len(self.known) - 1)
        found: NDArray[np.int64] = places[self.known[places] == wanted]
        return found

    def held(self, met: NDArray[np.bool_]) -> NDArray[np.int64]:
        """How many of some shingles each document has.

        Args:
            met: (K,) which of the known ones.

        Returns:
            (D,) int64.
        """
        found = np.zeros(len(self._documents), np.int64)
        for start in range(0, len(met), TOGETHER):
            first = self._first[start : start + TOGETHER + 1]
            holders = self._holders[first[0] : first[-1]]
            chosen = np.repeat(met[start : start + TOGETHER], np.diff(first))
            found += np.bincount(holders[chosen], minlength=len(found))
        return found

    def nearest(self, wanted: Iterable[NDArray[np.uint64]]) -> tuple[str, float] | None:
        """Name of the document that shares most with a text, and of the smaller set of shingles the
        share that both have.

        Args:
            wanted: the text's shingles, of each of its parts.
        """
        # Of a text that is longer than all these documents it does not matter how long it is.
        most = max(int(self.sizes.max(initial=0)), SHORT)
        theirs, met = np.empty(0, np.uint64), [np.empty(0, np.int64)]
        for part in wanted:
            met.append(self.places(part))
            if len(theirs) < most:
                theirs = once(np.concatenate([theirs, part])) if len(theirs) else part
        places = met[-1] if len(met) == 2 else np.unique(np.concatenate(met))
        if not len(places):
            return None
        first = self._first[places]
        counts = np.minimum(self._first[places + 1] - first, MOST_HOLDERS)
        ends = np.cumsum(counts)
        inside = np.arange(ends[-1]) - np.repeat(ends - counts, counts)
        common = np.bincount(
            self._holders[np.repeat(first, counts) + inside], minlength=len(self._documents)
        )
        shares = common / np.minimum(np.maximum(self.sizes, SHORT), len(theirs))
        best = int(shares.argmax())
        return self._documents[best].name, float(shares[best])


@contextlib.contextmanager
def _folder(folder: Path | None) -> Iterator[None]:
    """Where files are to be: make it, and name it if the disk refuses."""
    if folder is None:
        yield
        return
    with disk_errors_named(folder):
        folder.mkdir(parents=True, exist_ok=True)
        yield


class _Pile:
    """An array that grows at its end, in memory or in a file without a name.

    Args:
        dtype: of its numbers.
        folder: of the file; None for memory.
    """

    def __init__(self, dtype: Any, folder: Path | None):
        self._dtype, self.length = np.dtype(dtype), 0
        self._parts: list[NDArray[Any]] = []
        self._file = None if folder is None else tempfile.TemporaryFile(dir=folder)  # noqa: SIM115

    def add(self, part: NDArray[Any]) -> None:
        self.length += len(part)
        if self._file is None:
            self._parts.append(part.astype(self._dtype, copy=False))
        else:
            self._file.write(part.astype(self._dtype, copy=False).tobytes())

    def joined(self) -> NDArray[Any]:
        """The array; of a file, mapped into memory."""
        if self._file is None or not self.length:
            return np.concatenate([np.empty(0, self._dtype), *self._parts])
        self._file.flush()
        return np.memmap(self._file, self._dtype, mode="r")


def _in_shares(documents: list[Document], number: int, folder: Path | None) -> Iterator[_Pile]:
    """The documents' shingles with their holders, in shares by the shingles' size: those of the
    first share are the smallest."""
    shares = [_Pile(_PAIR, folder) for _ in range(number)]
    borders = np.array([2**64 * share // number for share in range(1, number)], np.uint64)
    for pairs in _pairs(documents):
        cuts = [0, *np.searchsorted(pairs["shingle"], borders), len(pairs)]
        for share, begin, end in zip(shares, cuts, cuts[1:], strict=False):
            share.add(pairs[begin:end])
    while shares:
        yield shares.pop(0)  # and its file goes


def _pairs(documents: list[Document]) -> Iterator[NDArray[Any]]:
    """Shingles with their holders, some at a time: each time ascending and, of equal shingles, in
    the documents' order."""
    waiting, size = [], 0
    for holder, document in enumerate(documents):
        for part in shingle_parts(document.body):
            pairs = np.empty(len(part), _PAIR)
            pairs["shingle"], pairs["holder"] = part, holder
            waiting.append(pairs)
            size += len(part)
            if size >= TOGETHER:
                yield _sorted(np.concatenate(waiting))
                waiting, size = [], 0
    if waiting:
        yield _sorted(np.concatenate(waiting))


def _sorted(pairs: NDArray[Any]) -> NDArray[Any]:
    """Pairs, each once, ascending by their shingles; of equal ones in their order."""
    pairs = pairs[np.argsort(pairs["shingle"], kind="stable")]
    return pairs[_differs(pairs["shingle"]) | _differs(pairs["holder"])]


def _differs(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Whether a value is another than the one before it; the first is."""
    different: NDArray[np.bool_] = np.append(True, values[1:] != values[:-1])[: len(values)]
    return different
