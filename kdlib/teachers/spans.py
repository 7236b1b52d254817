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
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn

from kdlib.data.blocks import Blocks
from kdlib.data.documents import Document
from kdlib.errors import UserError
from kdlib.losses.objectives import Loss, Objective, log_softmax, next_token
from kdlib.machine.progress import bar

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Offsets = list[tuple[int, int]]
NO_SPAN = -1
# The log of a likelihood is held below this: a student sure of a span has a finite loss.
SURE = -1e-6
ROWS = 4  # of the teacher's, in one pass


class SpanTargets(NamedTuple):
    """What the teacher says about the spans of a batch.

    spans (B, S): the number of the span that each token of the student belongs to, NO_SPAN where
    it is in none; the first token of a row is never predicted. log_p (B, K): the spans'
    log-likelihoods under the teacher, nats; any number where a row has fewer than K.
    """

    spans: Tensor
    log_p: Tensor


class Pairs(NamedTuple):
    """The same pieces of text as blocks for both models, and the spans of their tokens (N, S)."""

    student: Blocks
    teacher: Blocks
    student_spans: Tensor
    teacher_spans: Tensor


# --- Aligning -----------------------------------------------------------------------------------


def align(teacher: Offsets, student: Offsets) -> tuple[list[int], list[int]]:
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


def pair_up(
    documents: list[Document],
    teacher: PreTrainedTokenizerBase,
    student: PreTrainedTokenizerBase,
    length: int,
) -> Pairs:
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
    return Pairs(student_blocks, teacher_blocks, student_spans, teacher_spans)


class _Row(NamedTuple):
    ids: list[int]
    spans: list[int]


def _pieces(
    text: str, teacher: PreTrainedTokenizerBase, student: PreTrainedTokenizerBase, length: int
) -> Iterator[tuple[_Row, _Row]]:
    """As many spans as fit, again and again. A span that is longer than a block is left out."""
    cuts = [t.backend_tokenizer.encode(text, add_special_tokens=False) for t in (teacher, student)]
    numbers = align(cuts[0].offsets, cuts[1].offsets)
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


@torch.no_grad()
def ask(teacher: nn.Module, pairs: Pairs) -> Callable[[Tensor, Tensor], SpanTargets]:
    """One pass of the teacher; then the targets of a batch are looked up by its row numbers."""
    device = next(teacher.parameters()).device
    spans = int(pairs.teacher_spans.max()) + 1
    log_p = torch.empty(len(pairs.teacher), spans)
    starts = range(0, len(log_p), ROWS)
    with bar("teacher pass", len(starts)) as progress:
        for start in starts:
            some = slice(start, start + ROWS)
            ids = pairs.teacher.ids[some].to(device)
            logits, labels, _ = next_token(teacher(input_ids=ids).logits, ids)
            log_p[some] = _merged(
                _of_labels(logits, labels), pairs.teacher_spans[some].to(device), spans
            ).cpu()
            progress.update()

    def targets(rows: Tensor, ids: Tensor) -> SpanTargets:
        return SpanTargets(
            pairs.student_spans[rows.cpu()].to(ids.device), log_p[rows.cpu()].to(ids.device)
        )

    return targets


# --- The loss -----------------------------------------------------------------------------------


def span_distillation_loss(
    logits: Tensor, ids: Tensor, mask: Tensor | None, targets: SpanTargets, objective: Objective
) -> Loss:
    """label_weight * CE + teacher_weight * D, summed over the batch; count is its predicted tokens.

    logits (B, S, V) of the student for its own ids (B, S); mask (B, S) or None. D as in the
    module's docstring at the objective's temperature T, times T where the objective carries T
    squared: the gradient of a likelihood to the power 1/T shrinks with 1/T.
    """
    logits, labels, counted = next_token(logits, ids, None if mask is None else mask.to(ids.device))
    log_q = _of_labels(logits, labels)
    merged = _merged(log_q, targets.spans, targets.log_p.shape[-1])
    used = torch.arange(targets.log_p.shape[-1], device=ids.device) <= targets.spans.amax(
        -1, keepdim=True
    )
    distance = bernoulli_kl(targets.log_p, merged, objective.temperature)[used].sum()
    if objective.scale_by_t_squared:
        distance = distance * objective.temperature
    cross_entropy = -log_q[counted].sum()
    return Loss(
        objective.label_weight * cross_entropy + objective.teacher_weight * distance,
        counted.sum().to(log_q.dtype),
        {"cross_entropy": cross_entropy.detach(), "distillation": distance.detach()},
    )


def bernoulli_kl(log_p: Tensor, log_q: Tensor, temperature: float = 1.0) -> Tensor:
    """KL between 'this span' and 'another one' under both, from the logs of the span's likelihoods
    p and q, each raised to the power 1 / temperature. Nats, 0 only where p = q."""
    log_p, log_q = ((log / temperature).clamp(max=SURE) for log in (log_p, log_q))
    log_not_p, log_not_q = _log_of_rest(log_p), _log_of_rest(log_q)
    return log_p.exp() * (log_p - log_q) + log_not_p.exp() * (log_not_p - log_not_q)


def _log_of_rest(log: Tensor) -> Tensor:
    """log(1 - exp(log)), log < 0."""
    return torch.log(-torch.expm1(log))


def _of_labels(logits: Tensor, labels: Tensor) -> Tensor:
    return log_softmax(logits).gather(-1, labels.unsqueeze(-1)).squeeze(-1)


def _merged(log_likelihoods: Tensor, spans: Tensor, count: int) -> Tensor:
    """Sum the tokens' log-likelihoods (B, S - 1) span by span: (B, count). spans (B, S)."""
    predicted = spans[:, 1:]
    known = predicted != NO_SPAN
    sums = log_likelihoods.new_zeros(len(spans), count)
    return sums.scatter_add(1, predicted.clamp(min=0), log_likelihoods.masked_fill(~known, 0))
