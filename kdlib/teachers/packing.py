"""A block's sparse targets as bytes, and back.

Ids are sorted and stored as differences; one bit per id says whether its difference is 0. Numbers
of several bytes are split into planes: all first bytes together, then all second bytes, and so on.
High bytes are nearly all alike, so zlib shrinks them to almost nothing. The fifty draws of one
position, 400 bytes as int64 ids, take about thirty.
"""

from __future__ import annotations

import zlib

import numpy as np
import torch

from kdlib.losses.sparse import SparseTargets, equally_weighted, lumped, renormalised

STEP, VALUE = np.dtype("<u4"), np.dtype("<f2")


def pack(targets: SparseTargets, kind: str) -> bytes:
    """Pack the targets of one block: ids exactly, and in float16 what cannot be derived.

    For ``sampled`` that is the constant (T), since all weights are equal; for ``top_k`` the weights
    (T, k), from which the constant follows; for ``with_tail`` also the logarithm of the tail (T):
    1 minus the sum of rounded weights would be nothing but rounding where the tail is thin.

    Args:
        targets: ids (T, k) and their weights, for the T positions of one block.
        kind: a key of ``kdlib.losses.sparse.KINDS``.

    Returns:
        Compressed bytes; they hold neither T, k nor the kind.
    """
    # Sorted, so that differences are small and non-negative; slots have no order that matters.
    order = targets.ids.argsort(-1)
    ids = targets.ids.gather(-1, order).cpu().numpy()
    steps = np.diff(ids, axis=-1, prepend=0)
    values = targets.constant if kind == "sampled" else targets.weights.gather(-1, order)
    if targets.tail is not None:
        values = torch.cat((values.flatten(), targets.tail.log()))
    # Repeated draws give many zeros, which cost one bit here instead of four bytes.
    moved = steps != 0
    planes = _planes(steps[moved], STEP) + _planes(values.cpu().numpy(), VALUE)
    return zlib.compress(np.packbits(moved, axis=-1).tobytes() + planes)


def unpack(data: bytes, kind: str, positions: int, k: int) -> SparseTargets:
    """The targets that `pack` packed.

    Args:
        data: what `pack` returned.
        kind: the kind that it was given.
        positions: T, positions in the block.
        k: slots of each position.

    Returns:
        Targets (T, k) in float32.
    """
    planes = np.frombuffer(zlib.decompress(data), np.uint8)
    # `packbits` fills each row of k bits up to whole bytes.
    bits, planes = np.split(planes, [positions * -(-k // 8)])
    moved = np.unpackbits(bits.reshape(positions, -1), axis=-1, count=k).astype(bool)
    moves, planes = np.split(planes, [STEP.itemsize * int(moved.sum())])
    steps = np.zeros((positions, k), np.int64)
    steps[moved] = _from_planes(moves, STEP)
    ids = torch.from_numpy(steps.cumsum(-1))
    values = torch.from_numpy(_from_planes(planes, VALUE).astype(np.float32))
    if kind == "sampled":
        return equally_weighted(ids, values)
    log_weights = values[: positions * k].view(positions, k).log()
    # Renormalised: weights rounded to float16 do not add up to exactly 1, or to what the tail leaves.
    if kind == "top_k":
        return renormalised(ids, log_weights)
    log_tail = values[positions * k :]
    log_rest = torch.log(-torch.expm1(log_tail))  # 1 - tail, exact also for a thin or a fat tail
    return lumped(ids, log_weights.log_softmax(-1) + log_rest.unsqueeze(-1), log_tail)


def _planes(numbers: np.ndarray, dtype: np.dtype) -> bytes:
    """The numbers' bytes in this dtype: all first bytes, then all second ones, and so on."""
    single = numbers.astype(dtype).reshape(-1, 1).view(np.uint8)
    return np.ascontiguousarray(single.T).tobytes()


def _from_planes(planes: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """The numbers of this dtype whose bytes `_planes` split."""
    return np.ascontiguousarray(planes.reshape(dtype.itemsize, -1).T).view(dtype).ravel()
