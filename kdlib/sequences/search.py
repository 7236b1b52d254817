"""The most probable sequence of a model (F4): by exact search or by beam search."""

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
    """The result of `best_sequence`.

    Attributes:
        tokens: (k,) ids, up to and including eos.
        log_prob: scalar, its log-probability in nats.
    """

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
    r"""The most probable outcome (F4), by exact search or by beam search.

    .. math:: \hat y = \arg\max_y \log P(y \mid x)

    Outcomes of different lengths compete by their plain probability, without length normalisation.

    Args:
        model: the language P.
        length: the length limit L, in tokens.
        context: passed to the model, x.
        beam: None compares all possible sequences. A number keeps that many most probable prefixes
            at each length, ended ones included: cheap, but possibly wrong unless the beam is as
            wide as the number of sequences.
        limit: the largest number of sequences for the exact search.

    Returns:
        The sequence and its log-probability.

    Raises:
        ValueError: if the exact search meets more than ``limit`` sequences, or for ``beam`` < 1.
    """
    with torch.no_grad():
        if beam is None:
            candidates = enumerate_sequences(
                model, length, context, possible_only=True, limit=limit
            )
        else:
            candidates = _beam_search(model, length, context, beam)
    best = candidates.log_probs.argmax()
    return BestSequence(
        candidates.tokens[best, : candidates.lengths[best]], candidates.log_probs[best]
    )


def _beam_search(model: AutoregressiveModel, length: int, context: Any, beam: int) -> Sequences:
    """The ``beam`` outcomes that the search has kept, the most probable first."""
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
