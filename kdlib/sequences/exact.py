"""Distributions over whole sequences: count, enumerate, sample and score them.

A language model gives the probability of the next token; distillation losses compare whole outputs
y. This file goes from one to the other. `kdlib.sequences.losses` compares two models,
`kdlib.sequences.search` finds the most probable sequence (F4), and `kdlib.sequences.sums` adds up
token losses (F8).

What an outcome is. With a length limit L, an outcome is either a sequence that ends with the
end-of-sequence token (eos) within its first L tokens, or L tokens without one. The second kind
stands for the event "the text begins with these L tokens" and has the probability of that event.
Nothing is renormalised: the probabilities of all outcomes sum to 1, and a sequence loss at limit L
is exactly the loss over the first L tokens.

After eos, a row is padded with eos. Lengths count the closing eos but not the padding. Tensors live
on the CPU: this file is for models small enough to be understood completely.
"""

from typing import Any, NamedTuple, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

LIMIT = 1_000_000  # more outcomes than this take minutes and gigabytes, not seconds


class AutoregressiveModel(Protocol):
    """Anything that gives next-token log-probabilities: a toy language, a student, a wrapped LLM.

    The context is passed to the model unchanged, so it can be whatever that model reads. A model
    can also define ``position_log_probs(tokens, context) -> (N, L, V)``, which scores all positions
    in one pass; `position_log_probs` uses it if it exists.
    """

    @property
    def vocab_size(self) -> int:
        """Number of tokens in the vocabulary, V."""

    @property
    def eos_id(self) -> int | None:
        """Id of the eos token; None if sequences never end, so that each has L tokens."""

    def next_log_probs(self, prefixes: Tensor, context: Any = None) -> Tensor:
        """Log-probabilities (N, V) of the token after each prefix (N, t) of int64 ids, t >= 0."""


class Sequences(NamedTuple):
    """N sequences with their log-probabilities.

    Attributes:
        tokens: (N, L) ids, padded with eos.
        lengths: (N,) numbers of tokens, the closing eos included.
        log_probs: (N,) log-probabilities, in nats.
    """

    tokens: Tensor
    lengths: Tensor
    log_probs: Tensor

    @property
    def mask(self) -> Tensor:
        """(N, L), True where a token belongs to its sequence, the closing eos included."""
        return torch.arange(self.tokens.shape[1]) < self.lengths[:, None]


# ---------------------------------------------------------------- counting and enumerating


def count_sequences(vocab_size: int, length: int, has_eos: bool = True) -> int:
    r"""Number of terms in the sum of F2, as an exact Python integer, however large (F3).

    .. math:: V^L \text{ without eos}, \qquad \sum_{k=0}^{L} (V-1)^k \text{ with eos}

    The eos is one of the V tokens: :math:`(V-1)^{k-1}` sequences end at token k, for each k up to
    L, and :math:`(V-1)^L` have not ended after L tokens.

    Raises:
        ValueError: for ``vocab_size`` < 1 or ``length`` < 1.
    """
    at_least("vocab_size", vocab_size, 1)
    at_least("length", length, 1)
    count: int = vocab_size**length
    if has_eos:
        count = sum((vocab_size - 1) ** k for k in range(length + 1))
    return count


def enumerate_sequences(
    model: AutoregressiveModel,
    length: int,
    context: Any = None,
    *,
    possible_only: bool = False,
    limit: int = LIMIT,
) -> Sequences:
    """All outcomes of up to ``length`` tokens; their probabilities sum to 1.

    The order depends only on V, eos and L (ended after 1 token, after 2, ..., never ended), so the
    rows of two models correspond.

    Args:
        model: the language.
        length: the length limit L, in tokens.
        context: passed to the model.
        possible_only: drop outcomes of probability 0. A grammar in which few words can follow each
            other then has few sequences, and ``limit`` applies to those.
        limit: the largest number of outcomes to enumerate.

    Returns:
        One row per outcome, with its log-probability in nats.

    Raises:
        ValueError: before any work, if there are more than ``limit`` outcomes; the message gives
            their number and the alternatives. With ``possible_only``, at the first length with too
            many.
    """
    count = count_sequences(model.vocab_size, length, model.eos_id is not None)
    if not possible_only:
        refuse_above(limit, count, f"{count:,} sequences of up to {length} tokens")
    eos = eos_or_none(model.eos_id)
    live, log_p = torch.zeros(1, 0, dtype=torch.int64), torch.zeros(1)
    rows: list[tuple[Tensor, Tensor]] = []
    for position in range(length):
        if len(live) == 0:
            break
        joint = log_p[:, None] + model.next_log_probs(live, context)
        keep = (joint > -torch.inf) | (not possible_only)
        size = int(keep.sum()) + sum(len(tokens) for tokens, _ in rows)
        refuse_above(limit, size, f"{size:,} possible sequences of up to {position + 1} tokens")
        live, log_p = extend(live, joint, keep)
        ended = live[:, -1] == eos
        rows.append((live[ended], log_p[ended]))
        live, log_p = live[~ended], log_p[~ended]
    rows.append((live, log_p))
    tokens = torch.cat([F.pad(y, (0, length - y.shape[1]), value=eos) for y, _ in rows])
    log_probs = torch.cat([p for _, p in rows])
    return Sequences(tokens, sequence_lengths(tokens, model.eos_id), log_probs)


def sample_sequences(
    model: AutoregressiveModel,
    length: int,
    samples: int,
    generator: torch.Generator,
    context: Any = None,
) -> Sequences:
    """Independent sequences of at most ``length`` tokens from the model, without gradient.

    Args:
        model: the language.
        length: the length limit L, in tokens.
        samples: the number of sequences N.
        generator: the source of all randomness.
        context: passed to the model.

    Returns:
        N sequences with their log-probabilities in nats.

    Raises:
        ValueError: for ``length`` < 1 or ``samples`` < 1.
    """
    at_least("length", length, 1)
    at_least("samples", samples, 1)
    tokens, log_p = torch.zeros(samples, 0, dtype=torch.int64), torch.zeros(samples)
    ended, eos = torch.zeros(samples, dtype=torch.bool), eos_or_none(model.eos_id)
    with torch.no_grad():
        for _ in range(length):
            step = _eos_after_eos(model, model.next_log_probs(tokens, context), ended)
            drawn = torch.multinomial(step.exp(), 1, generator=generator)
            log_p = log_p + step.gather(1, drawn).squeeze(1)
            tokens = torch.cat([tokens, drawn], dim=1)
            ended = drawn.squeeze(1) == eos  # stays True, because only eos follows eos
    return Sequences(tokens, sequence_lengths(tokens, model.eos_id), log_p)


# ---------------------------------------------------------------- scoring


def sequence_lengths(tokens: Tensor, eos_id: int | None) -> Tensor:
    """Lengths (N,) of the rows of (N, L) ids, up to and including the first eos; L without one."""
    before_eos = (tokens == eos_or_none(eos_id)).cumsum(dim=1) == 0
    return (before_eos.sum(dim=1) + 1).clamp(max=tokens.shape[1])


def position_log_probs(model: AutoregressiveModel, tokens: Tensor, context: Any = None) -> Tensor:
    """Next-token log-probabilities at each position, given the tokens before it (teacher forcing).

    Args:
        model: the language.
        tokens: (N, L) ids.
        context: passed to the model.

    Returns:
        (N, L, V) log-probabilities, in nats.

    Raises:
        ValueError: if ``tokens`` is not (N, L) with L >= 1 and ids in 0..V-1.
    """
    shaped = tokens.ndim == 2 and tokens.shape[1] > 0 and not tokens.is_floating_point()
    if not shaped or ((tokens < 0) | (tokens >= model.vocab_size)).any():
        raise ValueError(
            f"tokens has shape {tuple(tokens.shape)} and type {tokens.dtype}: pass integer ids of "
            f"shape (sequences, length), each in 0..{model.vocab_size - 1}"
        )
    if hasattr(model, "position_log_probs"):
        at_once: Tensor = model.position_log_probs(tokens, context)
        return at_once
    steps = [model.next_log_probs(tokens[:, :t], context) for t in range(tokens.shape[1])]
    return torch.stack(steps, dim=1)


def token_log_probs(model: AutoregressiveModel, tokens: Tensor, context: Any = None) -> Tensor:
    r""":math:`\log Q(y_t \mid y_{<t}, x')` of each token, (N, L), in nats; 0 in the padding."""
    log_q = position_log_probs(model, tokens, context).gather(2, tokens[:, :, None]).squeeze(2)
    lengths = sequence_lengths(tokens, model.eos_id)
    return torch.where(torch.arange(tokens.shape[1]) < lengths[:, None], log_q, 0)


def sequence_log_probs(model: AutoregressiveModel, tokens: Tensor, context: Any = None) -> Tensor:
    r"""Log-probability of each row: the sum of its `token_log_probs` up to and including eos.

    .. math:: \log Q(y \mid x') = \sum_t \log Q(y_t \mid y_{<t}, x')

    Its negative is a sequence loss in the sense of F8.

    Args:
        model: the language Q.
        tokens: (N, L) ids.
        context: passed to the model, x'.

    Returns:
        (N,) log-probabilities, in nats.

    Raises:
        ValueError: as `position_log_probs`.
    """
    return token_log_probs(model, tokens, context).sum(dim=1)


# ---------------------------------------------------------------- shared with the other files


def extend(prefixes: Tensor, values: Tensor, keep: Tensor) -> tuple[Tensor, Tensor]:
    """Append to each prefix each of its kept tokens.

    Args:
        prefixes: (M, t) ids.
        values: (M, V) a number for each prefix and next token.
        keep: (M, V) booleans, K of them True.

    Returns:
        The longer prefixes (K, t+1) and their values (K,).
    """
    rows, added = keep.nonzero(as_tuple=True)
    return torch.cat([prefixes[rows], added[:, None]], dim=1), values[rows, added]


def eos_or_none(eos_id: int | None) -> int:
    """The eos id, or -1, which is no token's id, for a language whose sequences never end."""
    return -1 if eos_id is None else eos_id


def at_least(name: str, value: int, least: int) -> None:
    """Raise ValueError if ``value`` < ``least``."""
    if value < least:
        raise ValueError(f"{name} is {value}: it must be {least} or more")


def refuse_above(limit: int, count: int, what: str) -> None:
    """Raise ValueError if ``count`` > ``limit``, naming the cheaper alternatives."""
    if count > limit:
        raise ValueError(
            f"limit is {limit:,} and there are {what}: shorten them, raise limit, or use "
            "stepwise_loss or sampled_loss for a loss, best_sequence(beam=...) for a search"
        )


def _eos_after_eos(model: AutoregressiveModel, log_probs: Tensor, ended: Tensor) -> Tensor:
    """After eos only eos follows, with probability 1, so ended sequences keep their probability."""
    only_eos = torch.full_like(log_probs[0], -torch.inf)
    only_eos[eos_or_none(model.eos_id)] = 0
    return torch.where(ended[:, None], only_eos, log_probs)
