"""The most probable sequence: exact, or by beam search (F4)."""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from kdlib.sequences.exact import (
    LIMIT,
    AutoregressiveModel,
    Sequences,
    _eos_after_eos,
    at_least,
    enumerate_sequences,
    eos_or_none,
    sequence_lengths,
)


class BestSequence(NamedTuple):
    """The most probable sequence: tokens (k,) up to and with its eos, and its log-probability."""

    tokens: Tensor
    log_prob: Tensor


def best_sequence(
    model: AutoregressiveModel,
    length: int,
    context: Any = None,
    *,
    beam: int | None = None,
    limit: int = LIMIT,
) -> BestSequence:
    """The most probable outcome, y^ = argmax_y log P(y|x) of F4: exact, or by beam search.

    Without `beam` all possible sequences are compared. With it the `beam` most probable prefixes
    are kept at each length, ended ones among them: cheap, and possibly wrong, unless the beam is as
    wide as the number of sequences. Outcomes of different length compete by their plain
    probability.

    Raises: ValueError when the exact search would meet more than `limit` sequences; beam < 1.
    """
    with torch.no_grad():
        if beam is None:
            found = enumerate_sequences(model, length, context, possible_only=True, limit=limit)
        else:
            found = _beam_search(model, length, context, beam)
    best = found.log_probs.argmax()
    return BestSequence(found.tokens[best, : found.lengths[best]], found.log_probs[best])


def _beam_search(model: AutoregressiveModel, length: int, context: Any, beam: int) -> Sequences:
    at_least("length", length, 1)
    at_least("beam", beam, 1)
    tokens, log_p = torch.zeros(1, 0, dtype=torch.int64), torch.zeros(1)
    ended = torch.zeros(1, dtype=torch.bool)
    for _ in range(length):
        step = _eos_after_eos(model, model.next_log_probs(tokens, context), ended)
        joint = (log_p[:, None] + step).flatten()
        log_p, chosen = joint.topk(min(beam, int((joint > -torch.inf).sum())))
        rows, added = chosen // model.vocab_size, chosen % model.vocab_size
        tokens = torch.cat([tokens[rows], added[:, None]], dim=1)
        ended = ended[rows] | (added == eos_or_none(model.eos_id))
    return Sequences(tokens, sequence_lengths(tokens, model.eos_id), log_p)
