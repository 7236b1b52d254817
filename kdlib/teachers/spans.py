"""A student with another tokenizer than its teacher: both are asked how likely the same text is.

Their distributions over tokens cannot be compared, but both cut the same text up. Wherever the two
cuts meet, a span of text ends that is whole in both, and each model gives it a likelihood: that of
its tokens, merged. The student is taught the teacher's, span by span:

    D = sum over spans of KL(Bernoulli(p^(1/T)) || Bernoulli(q^(1/T))),   p = P(span | text before)

Source: Minixhofer, Vulic, Ponti 2025, Universal Cross-Tokenizer Distillation via Approximate
Likelihood Matching (the binarised f-divergence between likelihoods of aligned chunks).

What it cannot do. Of the teacher's distribution only the likelihood of the text that stands there
is taught; of all that might have stood there, only the sum: a distillation with one tokenizer
teaches far more per token, and without labels beside it a student learns less than from labels
alone. A span has its likelihood under the one cut that a tokenizer makes, not
summed over all cuts, and where a token ends already tells what cannot follow. And KL and agreement
between the two models cannot be measured: compare them in bits per byte.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn

from kdlib.data.blocks import Blocks
from kdlib.data.documents import Document
from kdlib.errors import UserError
from kdlib.losses.alignment import next_token
from kdlib.losses.spans import NO_SPAN, SpanTargets, label_log_likelihoods, sum_by_span
from kdlib.machine.progress import progress_bar
from kdlib.teachers.targets import TeacherTargets

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Offsets = list[tuple[int, int]]
ROWS = 4  # of the teacher's, in one pass


class PairedBlocks(NamedTuple):
    """The same pieces of text as blocks for both models, and the spans of their tokens (N, S)."""

    student: Blocks
    teacher: Blocks
    student_spans: Tensor
    teacher_spans: Tensor


# --- Aligning -----------------------------------------------------------------------------------


def align_spans(teacher: Offsets, student: Offsets) -> tuple[list[int], list[int]]:
    """The number of each token's span, for two cuts of one text given as (begin, end) characters.

    Spans are as short as they can be: each ends where a token of either ends. A character that a
    cut divides into several tokens ends with the last of them.
    """
    common = sorted(_ends(teacher) & _ends(student))
    numbers = [[bisect_left(common, end) for _, end in cut] for cut in (teacher, student)]
    # Behind the last common end stands what one of the two leaves out.
    whole = [[number for number in of if number < len(common)] for of in numbers]
    return whole[0], whole[1]


def _ends(cut: Offsets) -> set[int]:
    """Where a token ends and the next one does not reach back behind it."""
    following = [begin for begin, _ in cut[1:]] + [cut[-1][1]] if cut else []
    return {end for (_, end), begin in zip(cut, following, strict=True) if begin >= end}


def pair_blocks(
    documents: list[Document],
    teacher: PreTrainedTokenizerBase,
    student: PreTrainedTokenizerBase,
    length: int,
) -> PairedBlocks:
    """Cut documents into pieces at the ends of spans, at most `length` tokens long in either cut.

    Each piece stands after the end-of-text token of its tokenizer, and is padded behind.
    """
    pieces = [
        piece
        for document in documents
        for piece in _pieces(document.text, teacher, student, length)
    ]
    if len(pieces) < 2:
        raise UserError("text: less than two blocks of it; give more text or a smaller data.block")
    teacher_rows, student_rows = zip(*pieces, strict=True)
    size = sum(len(document.text.encode()) for document in documents)
    teacher_blocks, teacher_spans = _stack(teacher_rows, teacher.eos_token_id, length, size)
    student_blocks, student_spans = _stack(student_rows, student.eos_token_id, length, size)
    return PairedBlocks(student_blocks, teacher_blocks, student_spans, teacher_spans)


class _Row(NamedTuple):
    ids: list[int]
    spans: list[int]


def _pieces(
    text: str, teacher: PreTrainedTokenizerBase, student: PreTrainedTokenizerBase, length: int
) -> Iterator[tuple[_Row, _Row]]:
    """As many spans as fit, again and again. A span that is longer than a block is left out."""
    cuts = [t.backend_tokenizer.encode(text, add_special_tokens=False) for t in (teacher, student)]
    numbers = align_spans(cuts[0].offsets, cuts[1].offsets)
    done = [0, 0]
    while done[0] < len(numbers[0]):
        first = numbers[0][done[0]]
        last = min(_last_span(of, at, length) for of, at in zip(numbers, done, strict=True))
        ends = [bisect_left(of, max(first, last) + 1) for of in numbers]
        if last >= first:
            yield tuple(  # type: ignore[misc]
                _Row(cut.ids[at:end], [span - first for span in of[at:end]])
                for cut, of, at, end in zip(cuts, numbers, done, ends, strict=True)
            )
        done = ends


def _last_span(numbers: list[int], at: int, length: int) -> int:
    """The last span that ends within `length` tokens from `at`."""
    behind = at + length
    return numbers[-1] if behind >= len(numbers) else numbers[behind] - 1


def _stack(
    rows: tuple[_Row, ...], end_of_text: int, length: int, size: int
) -> tuple[Blocks, Tensor]:
    ids = torch.full((len(rows), length + 1), end_of_text)
    spans = torch.full_like(ids, NO_SPAN)
    for number, row in enumerate(rows):
        ids[number, 1 : len(row.ids) + 1] = torch.tensor(row.ids)
        spans[number, 1 : len(row.ids) + 1] = torch.tensor(row.spans)
    mask = (spans != NO_SPAN).long()
    mask[:, 0] = 1
    return Blocks(ids, mask, size), spans


# --- The teacher's side -------------------------------------------------------------------------


class SpanLikelihoods(TeacherTargets):
    """One pass of the teacher now; then the targets of a batch are looked up by its row numbers."""

    @torch.no_grad()
    def __init__(self, teacher: nn.Module, pairs: PairedBlocks):
        device = next(teacher.parameters()).device
        spans = int(pairs.teacher_spans.max()) + 1
        self._student_spans = pairs.student_spans
        self._log_p = torch.empty(len(pairs.teacher), spans)
        starts = range(0, len(self._log_p), ROWS)
        with progress_bar("teacher pass", len(starts)) as progress:
            for start in starts:
                group = slice(start, start + ROWS)
                ids = pairs.teacher.ids[group].to(device)
                logits, labels, _ = next_token(teacher(input_ids=ids).logits, ids)
                self._log_p[group] = sum_by_span(
                    label_log_likelihoods(logits, labels),
                    pairs.teacher_spans[group].to(device),
                    spans,
                ).cpu()
                progress.update()

    def __call__(self, rows: Tensor, ids: Tensor) -> SpanTargets:
        rows = rows.cpu()
        return SpanTargets(
            self._student_spans[rows].to(ids.device), self._log_p[rows].to(ids.device)
        )
