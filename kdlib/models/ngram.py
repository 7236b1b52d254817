"""A baseline that only counts: an n-gram model with modified Kneser-Ney smoothing.

It is our own because nltk's counts strings in pure Python and kenlm needs a C++ build and a text of
words, while here are blocks of token ids. An n-gram is packed into one integer, its tokens the
digits in base V: then counting is sorting, and looking up is a binary search.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from kdlib.errors import UserError

PADDING = -1  # in place of a token; also the key of an n-gram that contains one
KEYS = 2**63  # of an int64, without the negative ones
# Half of a count of 1, 2 and 3, for a text that is too small or too regular to estimate from.
FALLBACK_DISCOUNTS = (0.5, 1.0, 1.5)


@dataclass(frozen=True)
class NGramTable:
    """The n-grams of one length, and what each gives to its token and leaves to shorter ones.

    Attributes:
        grams: (G,) int64, packed n-grams, ascending.
        share: (G,) float64, the discounted share of the n-gram among those with its context.
        contexts: (C,) int64, packed contexts (an n-gram without its last token), ascending.
        rest: (C,) float64, the share that the discounts free, for the next shorter n-gram.
        vocabulary: tokens that the model knows.
    """

    grams: np.ndarray
    share: np.ndarray
    contexts: np.ndarray
    rest: np.ndarray
    vocabulary: int

    @classmethod
    def from_counts(cls, grams: np.ndarray, counts: np.ndarray, vocabulary: int) -> NGramTable:
        """Discount counts, and divide them by those of the contexts.

        Args:
            grams: (G,) int64, packed n-grams of one length, ascending, each once.
            counts: (G,) how often each was counted, at least once.
            vocabulary: tokens that the model knows.
        """
        discounts = _discounts(counts)[np.minimum(counts, 3)]
        contexts, row = np.unique(grams // vocabulary, return_inverse=True)
        totals = np.bincount(row, counts)
        share, rest = (counts - discounts) / totals[row], np.bincount(row, discounts) / totals
        return cls(grams, share, contexts, rest, vocabulary)

    def interpolate(self, grams: np.ndarray, shorter: np.ndarray) -> np.ndarray:
        """The probability of each n-gram's last token after the others.

        Args:
            grams: (...) int64, packed n-grams.
            shorter: (...) the same probability according to shorter n-grams.

        Returns:
            (...) float64.
        """
        # An unseen context has neither a share nor a say: the shorter n-grams decide alone.
        rest = _look_up(self.contexts, self.rest, grams // self.vocabulary, 1)
        probability: np.ndarray = _look_up(self.grams, self.share, grams, 0) + rest * shorter
        return probability


@dataclass(frozen=True)
class NGram:
    r"""An interpolated n-gram model with modified Kneser-Ney smoothing.

    .. math::

        P_n(w \mid h) = \frac{c_n(hw) - D_n(c_n(hw)) + P_{n-1}(w \mid h') \sum_v D_n(c_n(hv))}
                             {\sum_v c_n(hv)}, \qquad P_0 = \frac{1}{V}

    h are the n - 1 tokens before w, and h' is h without its first; after an unseen h,
    :math:`P_n = P_{n-1}`. Of the longest n-grams :math:`c_n` counts occurrences, of a shorter one
    the different tokens that occur before it: a shorter one speaks where a longer one was not seen,
    so what counts is in how many places it fits. The discounts :math:`D_n` of counts 1, 2, and 3 or
    more come from the number of n-grams that were counted one to four times.

    Attributes:
        tables: the n-grams of 1, 2, ..., ``order`` tokens.
        vocabulary: V, tokens that the model knows.

    Source: Kneser and Ney 1995; Chen and Goodman 1998 (three discounts).
    """

    tables: tuple[NGramTable, ...]
    vocabulary: int

    @classmethod
    def fit(cls, ids: ArrayLike, mask: ArrayLike, vocabulary: int, order: int = 3) -> NGram:
        """Count the n-grams of a text.

        Where a block starts with the token that the one before ends with, as `make_blocks` cuts
        them, the two are joined there, so that no token is counted twice and the n-grams across the
        border are counted too. Other neighbours and padding end a stretch of text.

        Args:
            ids: (N, S) token ids, blocks in the order of the text.
            mask: (N, S), 1 for a token, 0 where a block is padded.
            vocabulary: tokens that are possible; each gets a positive probability.
            order: tokens of the longest n-grams, the predicted one included.

        Raises:
            UserError: for n-grams that do not fit into 63 bits, for ids outside the vocabulary and
                for a text without a single n-gram of this order.
        """
        if order < 1 or vocabulary < 1 or vocabulary**order >= KEYS:
            raise UserError(
                f"order, vocabulary: {order} and {vocabulary}; both must be at least 1 and"
                " vocabulary ** order below 2 ** 63, as an n-gram is kept in one integer;"
                " choose another order"
            )
        stream = _join(_tokens(ids, mask, vocabulary))
        tables = [
            NGramTable.from_counts(*_count(stream, n, order, vocabulary), vocabulary)
            for n in range(1, order + 1)
        ]
        return cls(tuple(tables), vocabulary)

    @property
    def order(self) -> int:
        """Tokens of the longest n-grams, the predicted one included."""
        return len(self.tables)

    @property
    def entries(self) -> int:
        """Distinct n-grams of all lengths: what the model has in place of parameters."""
        return sum(len(table.grams) for table in self.tables)

    def nll(self, ids: ArrayLike, mask: ArrayLike) -> np.ndarray:
        """Score blocks, each by itself, so that the model sees what a language model would see.

        The first tokens of a block have a shorter context, and are scored by shorter n-grams.

        Args:
            ids: (N, S) token ids.
            mask: (N, S), 1 for a token, 0 where a block is padded.

        Returns:
            (N, S - 1) float64, the negative log-likelihood in nats of each token but the first,
            given up to ``order - 1`` tokens before it in its block; 0 where padded.

        Raises:
            UserError: for ids outside the vocabulary.
        """
        tokens = _tokens(ids, mask, self.vocabulary)
        probability = np.full(tokens.shape, 1 / self.vocabulary)
        for before, table in enumerate(self.tables):
            grams = _pack(tokens, before + 1, self.vocabulary)
            probability[:, before:] = table.interpolate(grams, probability[:, before:])
        return np.where(tokens[:, 1:] == PADDING, 0.0, -np.log(probability[:, 1:]))


def _tokens(ids: ArrayLike, mask: ArrayLike, vocabulary: int) -> np.ndarray:
    """Blocks (N, S) of ids as int64, with PADDING where they are padded."""
    ids, real = np.asarray(ids), np.asarray(mask).astype(bool)
    if ids.ndim != 2 or ids.shape != real.shape:
        raise UserError(
            f"ids, mask: shapes {ids.shape} and {real.shape}; both must be (blocks, tokens)"
        )
    outside = ids[real & ((ids < 0) | (ids >= vocabulary))]
    if len(outside):
        raise UserError(
            f"ids: {outside[0]} is outside a vocabulary of {vocabulary} tokens; ids must be"
            f" 0 to {vocabulary - 1}: cut the text with the tokenizer of this vocabulary"
        )
    return np.where(real, ids, PADDING).astype(np.int64, copy=False)


def _join(tokens: np.ndarray) -> np.ndarray:
    """Blocks (N, S) as one stream: overlaps once, PADDING between blocks that do not overlap."""
    keep = np.ones((len(tokens), 1 + tokens.shape[1]), dtype=bool)
    keep[1:, :2] = (tokens[1:, 0] != tokens[:-1, -1])[:, None]
    return np.pad(tokens, ((0, 0), (1, 0)), constant_values=PADDING)[keep]


def _pack(tokens: np.ndarray, n: int, vocabulary: int) -> np.ndarray:
    """The n-grams along the last dimension (..., S) as integers (..., S - n + 1)."""
    places = max(tokens.shape[-1] - n + 1, 0)
    keys = np.zeros((*tokens.shape[:-1], places), dtype=np.int64)
    whole = np.ones_like(keys, dtype=bool)
    for i in range(n):
        token = tokens[..., i : i + places]
        keys *= vocabulary  # in place, here and below: of a large text these arrays are most of all
        keys += token
        whole &= token != PADDING
    keys[~whole] = PADDING
    return keys


def _count(
    stream: np.ndarray, n: int, order: int, vocabulary: int
) -> tuple[np.ndarray, np.ndarray]:
    """Packed n-grams, ascending, and their counts: occurrences, or for a shorter n-gram than the
    order the different tokens before it."""
    grams, counts = _different(_pack(stream, min(n + 1, order), vocabulary))
    if not len(grams):
        raise UserError(
            f"ids: no {order} tokens in a row, so nothing to count for order {order};"
            " give more text or choose a smaller order"
        )
    if n < order:
        # Each longer n-gram once: what is left of it without its first token, once for each first.
        grams, counts = np.unique(grams % vocabulary**n, return_counts=True)
    return grams, counts


def _different(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The different keys (G,), ascending and without PADDING, and how often each is there; the keys
    are sorted in place."""
    keys.sort()
    keys = keys[np.searchsorted(keys, PADDING, side="right") :]
    first = np.flatnonzero(np.append(True, keys[1:] != keys[:-1])[: len(keys)])
    return keys[first], np.diff(np.append(first, len(keys)))


def _discounts(counts: np.ndarray) -> np.ndarray:
    """What to take off a count of 0 (nothing), 1, 2, and 3 or more."""
    n1, n2, n3, n4 = np.bincount(np.minimum(counts, 5), minlength=6)[1:5].tolist()
    if n1 and n2 and n3 and n4:
        y = n1 / (n1 + 2 * n2)
        estimate = (1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3)
        # Where nothing is freed, an unseen token would be impossible.
        if min(estimate) > 0:
            return np.array([0, *estimate])
    return np.array([0, *FALLBACK_DISCOUNTS])


def _look_up(
    keys: np.ndarray, values: np.ndarray, wanted: np.ndarray, otherwise: float
) -> np.ndarray:
    """The values of the wanted keys, which are ascending; otherwise where there is none."""
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[place] == wanted, values[place], otherwise)
