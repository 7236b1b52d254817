"""A classifier that only counts: naive Bayes over tokens, from labels that may be soft."""

from __future__ import annotations

import torch
from torch import Tensor


class Counted:
    """Each token speaks for the class in which it is the more frequent, wherever it stands.

    Args:
        ids: (N, S) tokens of the pieces.
        labels: (N,) probabilities of the second class; a piece counts for both classes by them.
        vocabulary: tokens that there are; each is counted once more in each class than it was seen.
    """

    def __init__(self, ids: Tensor, labels: Tensor, vocabulary: int) -> None:
        shares = torch.stack([1 - labels, labels]).double()  # (2, N)
        counts = torch.ones(2, vocabulary, dtype=torch.float64)
        for of_class, share in zip(counts, shares):
            of_class.scatter_add_(0, ids.flatten(), share.repeat_interleave(ids.shape[1]))
        said = (counts / counts.sum(1, keepdim=True)).log()
        prior = shares.sum(1).log()
        self._token, self._prior = said[1] - said[0], prior[1] - prior[0]

    def __call__(self, ids: Tensor) -> Tensor:
        """Logits (N,) of the second class."""
        return self._prior + self._token[ids].sum(1)
