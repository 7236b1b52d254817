"""A block's sparse targets as bytes, and back.

Ids in rising order are stored as their steps, a bit says where a step is 0, and numbers of several
bytes are split into planes: first bytes together, then second bytes, and so on. High bytes are
nearly all alike, so that zlib shrinks them to little. Fifty draws of a token, 400 bytes as indices,
take about thirty.
"""

from __future__ import annotations

import zlib

import numpy as np
import torch

from kdlib.losses.sparse import SparseTargets, equally_weighted, lumped, renormalised

STEP, VALUE = np.dtype("<u4"), np.dtype("<f2")


def pack(targets: SparseTargets, kind: str) -> bytes:
    """ids (T, k) of one block; and what its kind cannot do without, in float16.

    sampled: the constant (T); its weights are all alike. top_k, with_tail: the weights (T, k), from
    which constant and tail follow.
    """
    order = targets.ids.argsort(-1)
    ids = targets.ids.gather(-1, order).cpu().numpy()
    steps = np.diff(ids, axis=-1, prepend=0)
    values = targets.constant if kind == "sampled" else targets.weights.gather(-1, order)
    moved = steps != 0
    planes = _planes(steps[moved], STEP) + _planes(values.cpu().numpy(), VALUE)
    return zlib.compress(np.packbits(moved, axis=-1).tobytes() + planes)


def unpack(data: bytes, kind: str, positions: int, k: int) -> SparseTargets:
    """(T, k) targets in float32, from what `pack` made of them."""
    planes = np.frombuffer(zlib.decompress(data), np.uint8)
    bits, planes = np.split(planes, [positions * -(-k // 8)])
    moved = np.unpackbits(bits.reshape(positions, -1), axis=-1, count=k).astype(bool)
    moves, planes = np.split(planes, [STEP.itemsize * int(moved.sum())])
    steps = np.zeros((positions, k), np.int64)
    steps[moved] = _from_planes(moves, STEP)
    ids = torch.from_numpy(steps.cumsum(-1))
    values = torch.from_numpy(_from_planes(planes, VALUE).astype(np.float32))
    if kind == "sampled":
        return equally_weighted(ids, values)
    weights = values.view(positions, k)
    if kind == "top_k":
        return renormalised(ids, weights.log())
    weights = weights / weights.sum(-1, keepdim=True).clamp(min=1)  # rounding can lift it above 1
    rest = (1 - weights.sum(-1)).clamp(min=0)
    return lumped(ids, weights.log(), rest.log())


def _planes(numbers: np.ndarray, dtype: np.dtype) -> bytes:
    single = numbers.astype(dtype).reshape(-1, 1).view(np.uint8)
    return np.ascontiguousarray(single.T).tobytes()


def _from_planes(planes: np.ndarray, dtype: np.dtype) -> np.ndarray:
    return np.ascontiguousarray(planes.reshape(dtype.itemsize, -1).T).view(dtype).ravel()
