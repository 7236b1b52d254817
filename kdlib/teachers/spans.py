r"""Spans: targets for a student whose tokenizer is not its teacher's.

The two models' distributions over tokens cannot be compared, but both tokenizers cut up the same
text. Wherever the two cuts meet, a span of text ends that is whole in both, and each model gives it
a likelihood: the product over its tokens. The student learns the teacher's, span by span:

.. math:: D = \sum_\mathrm{spans} \mathrm{KL}\big(\mathrm{Bernoulli}(p^{1/T}) \,\Vert\,
   \mathrm{Bernoulli}(q^{1/T})\big), \qquad p = P(\mathrm{span} \mid \mathrm{text\ before})

This file aligns the spans, pairs the blocks and computes the teacher's likelihoods; the loss is in
`kdlib.losses.spans`.

What it cannot do:

- Of the teacher's distribution, the student learns only the likelihood of the actual text; of
  everything that could stand there instead, only the sum. Distillation with one tokenizer teaches
  far more per token, and without labels beside it a student learns less than from labels alone.
- A span's likelihood is that of the one cut that the tokenizer makes, not the sum over all cuts,
  and where a token ends already tells what cannot follow.
- KL and agreement between the two models cannot be measured: compare them in bits per byte.

Source: Minixhofer, Vulic, Ponti 2025, Universal Cross-Tokenizer Distillation via Approximate
Likelihood Matching (the binarised f-divergence between likelihoods of aligned chunks).
"""

from __future__ import annotations

import contextlib
from bisect import bisect_left
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn

from kdlib.data.blocks import Blocks
from kdlib.data.document import Document
from kdlib.data.separators import AUTO, separator_id
from kdlib.errors import UserError
from kdlib.losses.alignment import next_token
from kdlib.losses.spans import NO_SPAN, SpanTargets, label_log_likelihoods, sum_by_span
from kdlib.machine.progress import progress_bar
from kdlib.teachers.base import Autocast, TeacherTargets

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

Offsets = list[tuple[int, int]]
ROWS = 4  # blocks in one forward pass of the teacher


class PairedBlocks(NamedTuple):
    """The same N pieces of text as blocks for both models, and the span of each of their tokens.

    Attributes:
        student: the pieces as blocks of the student's tokens.
        teacher: the pieces as blocks of the teacher's tokens.
        student_spans: (N, S) int64, the number within its row of each token's span; ``NO_SPAN`` for
            the first token and for padding.
        teacher_spans: (N, S) int64, the same for the teacher's tokens.
    """

    student: Blocks
    teacher: Blocks
    student_spans: Tensor
    teacher_spans: Tensor


# --- Aligning the two cuts of a text ------------------------------------------------------------


def align_spans(teacher: Offsets, student: Offsets) -> tuple[list[int], list[int]]:
    """Number the spans of a text that two tokenizers have cut up.

    Spans are as short as possible: each ends as soon as tokens of both cuts end at one place. A
    character that a cut divides into several tokens ends with the last of them.

    Args:
        teacher: (begin, end) of each of the teacher's tokens, in characters.
        student: the same for the student's tokens.

    Returns:
        For teacher and student, the number of each token's span, in rising order. Tokens at the end
        that are in no span are left out.
    """
    common = sorted(_ends(teacher) & _ends(student))
    numbers = [[bisect_left(common, end) for _, end in cut] for cut in (teacher, student)]
    # After the last common end comes text that one of the two cuts leaves out: no span of both.
    whole = [[number for number in spans if number < len(common)] for spans in numbers]
    return whole[0], whole[1]


def _ends(cut: Offsets) -> set[int]:
    """Where tokens end, except where the next token begins before that end."""
    # Byte-level tokens of one character all carry that character's offsets, so that all but the
    # last seem to end where the character is not yet complete.
    following = [begin for begin, _ in cut[1:]] + [cut[-1][1]] if cut else []
    return {end for (_, end), begin in zip(cut, following, strict=True) if begin >= end}


# --- Blocks for both models ---------------------------------------------------------------------


def pair_blocks(
    documents: list[Document],
    teacher: PreTrainedTokenizerFast,
    student: PreTrainedTokenizerFast,
    length: int,
    *,
    separator: str = AUTO,
) -> PairedBlocks:
    """Cut documents into pieces that end with a span, and make blocks of them for both models.

    Each piece follows the separator of its tokenizer, and is padded at the end. A span that is
    longer than a block is left out.

    Args:
        documents: the texts.
        teacher: the teacher's tokenizer.
        student: the student's tokenizer.
        length: the most tokens of a piece, in either cut.
        separator: of the student's tokenizer (see `kdlib.data.separators.separator_id`); the
            teacher's is the one that suits its own.

    Returns:
        Blocks of ``length + 1`` tokens for both models, and their spans.

    Raises:
        UserError: for a text of less than two blocks.
    """
    pieces = [
        (number, *piece)
        for number, document in enumerate(documents)
        for piece in _pieces(document.text, teacher, student, length)
    ]
    if len(pieces) < 2:
        raise UserError("text: less than two blocks of it; give more text or a smaller data.block")
    numbers, *rows = zip(*pieces, strict=True)
    of_document = torch.tensor(numbers, dtype=torch.int32)[:, None].expand(-1, length + 1)
    size = sum(len(document.text.encode()) for document in documents)
    blocks, spans = zip(
        *(
            _stack(cut, first, length)
            for cut, first in zip(
                rows, (separator_id(teacher), separator_id(student, separator)), strict=True
            )
        ),
        strict=True,
    )
    of_teacher, of_student = (Blocks(ids, mask, size, of_document) for ids, mask in blocks)
    return PairedBlocks(of_student, of_teacher, spans[1], spans[0])


class _Row(NamedTuple):
    """A piece of text in one cut: its token ids, and the number of each token's span."""

    ids: list[int]
    spans: list[int]


def _pieces(
    text: str, teacher: PreTrainedTokenizerFast, student: PreTrainedTokenizerFast, length: int
) -> Iterator[tuple[_Row, _Row]]:
    """Pieces of as many spans as fit, without spans that are longer than a block."""
    cuts = [t.backend_tokenizer.encode(text, add_special_tokens=False) for t in (teacher, student)]
    numbers = align_spans(cuts[0].offsets, cuts[1].offsets)
    starts = [0, 0]
    while starts[0] < len(numbers[0]):
        first = numbers[0][starts[0]]
        # The same spans for both models, so the cut with more tokens sets the limit.
        last = min(
            _last_span(spans, start, length) for spans, start in zip(numbers, starts, strict=True)
        )
        # At least one span further, even if it does not fit: otherwise this would never end.
        ends = [bisect_left(spans, max(first, last) + 1) for spans in numbers]
        if last >= first:
            yield tuple(  # type: ignore[misc]
                _Row(cut.ids[start:end], [span - first for span in spans[start:end]])
                for cut, spans, start, end in zip(cuts, numbers, starts, ends, strict=True)
            )
        starts = ends


def _last_span(numbers: list[int], start: int, length: int) -> int:
    """The last span that ends within `length` tokens from `start`."""
    next_token_at = start + length
    # The span of the first token that does not fit is incomplete: the one before it is the last.
    return numbers[-1] if next_token_at >= len(numbers) else numbers[next_token_at] - 1


def _stack(rows: tuple[_Row, ...], first: int, length: int) -> tuple[tuple[Tensor, Tensor], Tensor]:
    """Ids and mask of one model's pieces (N, length + 1), and the spans of their tokens.

    The token that every piece follows pads it, too.
    """
    ids = torch.full((len(rows), length + 1), first)
    spans = torch.full_like(ids, NO_SPAN)
    for number, row in enumerate(rows):
        ids[number, 1 : len(row.ids) + 1] = torch.tensor(row.ids)
        spans[number, 1 : len(row.ids) + 1] = torch.tensor(row.spans)
    mask = (spans != NO_SPAN).long()
    mask[:, 0] = 1  # in no span, but a real token: the model reads it
    return (ids, mask), spans


# --- The teacher's side -------------------------------------------------------------------------


class SpanLikelihoods(TeacherTargets):
    """Span targets: one pass of the teacher at the start, then a look-up by row number.

    Args:
        teacher: a frozen causal language model of transformers, on its device.
        pairs: the blocks that row numbers refer to.
        autocast: of the passes; give the one of the training steps.
    """

    @torch.no_grad()
    def __init__(
        self,
        teacher: nn.Module,
        pairs: PairedBlocks,
        autocast: Autocast = contextlib.nullcontext,
    ):
        device = next(teacher.parameters()).device
        spans = int(pairs.teacher_spans.max()) + 1
        self._student_spans = pairs.student_spans
        # One number per span instead of V per token: the whole text fits into memory.
        self._log_p = torch.empty(len(pairs.teacher), spans)
        starts = range(0, len(self._log_p), ROWS)
        with progress_bar("teacher pass", len(starts)) as progress:
            for start in starts:
                group = slice(start, start + ROWS)
                ids = pairs.teacher.ids[group].to(device)
                with autocast():
                    logits = teacher(input_ids=ids, use_cache=False).logits
                logits, labels, _ = next_token(logits, ids)
                self._log_p[group] = sum_by_span(
                    label_log_likelihoods(logits, labels),
                    pairs.teacher_spans[group].to(device),
                    spans,
                ).cpu()
                progress.update()

    def __call__(self, rows: Tensor, ids: Tensor, own: Tensor | None = None) -> SpanTargets:
        """The targets of a batch.

        Args:
            rows: (B,) numbers of the blocks.
            ids: (B, S) the student's tokens; only the device is used.
            own: must be None: nothing is known of what a student writes.

        Returns:
            The spans (B, S) of the student's tokens and the teacher's log-likelihoods (B, K) of
            the spans, in nats.
        """
        assert own is None, "these targets are of the blocks alone"
        rows = rows.cpu()
        return SpanTargets(
            self._student_spans[rows].to(ids.device), self._log_p[rows].to(ids.device)
        )
