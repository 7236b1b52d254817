"""Log-probabilities that another engine wrote, read one text at a time.

JSONL in the shape of vLLM's ``prompt_logprobs``: each line is a request's output as vLLM has it, or
the answer of its OpenAI-like server to a completion, where the same two keys stand in every choice::

    {"prompt_token_ids": [5, 9, 2], "prompt_logprobs": [null, {"9": {"logprob": -0.2, "rank": 1}, ...}, ...]}
    {"choices": [{"prompt_token_ids": ..., "prompt_logprobs": ...}, ...], ...}

Position i says how likely tokens were in place i, given those before it. So the first is null, and
the token that stands there is listed too, whatever its rank: there are k entries or k + 1.

Source: vLLM, ``vllm/logprobs.py`` and ``vllm/entrypoints/openai/completion/protocol.py`` (read 2026).
"""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from kdlib.errors import UserError

GZIP = b"\x1f\x8b"
# Of a log-probability and of a mass: float32, and what an engine's own rounding adds to it.
ROUNDING = 1e-3
LEAST = -1e9  # a probability of 0, as -inf is, and as -9999 is, which servers write for it


class Form(NamedTuple):
    """What a file's texts must be like.

    Attributes:
        tokens: of each text, S.
        vocabulary: the number of tokens, V.
        k: how many of the likeliest tokens are wanted of each position.
    """

    tokens: int
    vocabulary: int
    k: int


class ScoredText(NamedTuple):
    """A text, and the k likeliest tokens of each position but the first.

    Attributes:
        text: (S,) int64, its token ids.
        ids: (S - 1, k) int64, the likeliest tokens, falling.
        log_p: (S - 1, k) float64, their log-probabilities, at most 0.
    """

    text: Tensor
    ids: Tensor
    log_p: Tensor

    @property
    def left_out(self) -> Tensor:
        """(S - 1,) float64: the probability of all other tokens together, in [0, 1]."""
        return (1 - self.log_p.exp().sum(-1)).clamp(min=0)


class Line(NamedTuple):
    """A line of the file.

    Attributes:
        name: of file and line, for messages.
        start: its first byte in the file.
        content: its bytes, without the line's end.
    """

    name: str
    start: int
    content: bytes


def read_lines(path: Path) -> Iterator[Line]:
    """The lines of a file, without empty ones.

    Args:
        path: the file.

    Raises:
        UserError: for a file that cannot be read, that is packed, and that holds no line.
    """
    try:
        with open(path, "rb") as file:
            start = 0
            for number, raw in enumerate(file, 1):
                if number == 1 and raw.startswith(GZIP):
                    raise UserError(
                        f"from_logprobs: {path} is packed with gzip; unpack it first: gunzip {path}"
                    )
                if raw.strip():
                    yield Line(f"{path}, line {number}", start, raw)
                start += len(raw)
    except OSError as error:
        raise UserError(f"from_logprobs: {path} cannot be read: {error.strerror}") from error


def read_line(line: Line, form: Form) -> list[ScoredText]:
    """The texts of a line.

    Args:
        line: of `read_lines`.
        form: what they must be like.

    Raises:
        UserError: naming the line, and what is wrong with it.
    """
    answer = _parsed(line)
    choices = answer["choices"] if answer.get("prompt_logprobs") is None else [answer]
    return [_scored(choice, line.name, form) for choice in choices]


def _parsed(line: Line) -> dict[str, Any]:
    """The line's JSON, if it is an object that may be an answer."""
    try:
        answer = json.loads(line.content)
    except (ValueError, RecursionError) as error:
        # An engine that was killed leaves the last line without its end.
        why = "is no JSON" if line.content.endswith(b"\n") else "is cut short, and so no JSON"
        raise _refusal(line.name, f"it {why}; each line is one answer") from error
    if not isinstance(answer, dict):
        raise _refusal(line.name, "it is not an object with prompt_token_ids and prompt_logprobs")
    if answer.get("prompt_logprobs") is None:
        choices = answer.get("choices")
        if not isinstance(choices, list) or not choices:
            raise _refusal(line.name, "it has no prompt_logprobs; ask for them")
    return answer


def _scored(choice: Any, where: str, form: Form) -> ScoredText:
    """One text, checked."""
    if not isinstance(choice, dict):
        raise _refusal(where, "a choice in it is no object")
    for key, advice in (
        ("prompt_logprobs", '"prompt_logprobs": K'),
        ("prompt_token_ids", '"return_token_ids": true'),
    ):
        if not isinstance(choice.get(key), list):
            raise _refusal(where, f"it has no list of {key}; a request asks for it with {advice}")
    tokens, positions = choice["prompt_token_ids"], choice["prompt_logprobs"]
    for token in tokens:
        _check_token(token, where, form)
    if len(tokens) != form.tokens:
        raise _refusal(
            where,
            f"it has {len(tokens)} tokens, and a block here has {form.tokens} (data.block and the"
            " one before it); score what --write-prompts writes, and let nothing be added or cut",
        )
    if len(positions) != len(tokens) or positions[0] is not None:
        raise _refusal(
            where,
            f"it has {len(positions)} positions for {len(tokens)} tokens; there is one for each, and"
            " null for the first",
        )
    rows = [
        _likeliest(entries, f"{where}, token {place}", form)
        for place, entries in enumerate(positions[1:], 2)
    ]
    ids, log_p = zip(*rows)
    return ScoredText(
        torch.tensor(tokens), torch.tensor(ids), torch.tensor(log_p, dtype=torch.float64)
    )


def _likeliest(entries: Any, where: str, form: Form) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """The k likeliest tokens of a position and their log-probabilities."""
    if not isinstance(entries, dict):
        raise _refusal(where, "it is no map from tokens to log-probabilities")
    numbers = _numbers(form.vocabulary)
    found = []
    for name, entry in entries.items():
        # Millions of them, nearly all as they should be: these are let through first.
        if (
            name in numbers
            and type(entry) is dict
            and type(log_p := entry.get("logprob")) is float
            and log_p <= 0
            and type(rank := entry.get("rank")) is int
        ):
            found.append((numbers[name], log_p, rank))
        else:
            found.append(_entry(name, entry, where, form))
    # By rank where two are equally likely: the token that stands there is not one of the k then.
    found.sort(key=lambda each: (-each[1], each[2]))
    kept = found[: form.k]
    # With fewer than k asked for, the token that stands there may be the k-th in number, and far
    # from the k-th in rank: tokens likelier than it would lie in the tail.
    if len(kept) < form.k or any(rank > form.k for _, _, rank in kept):
        known = sum(rank <= form.k for _, _, rank in kept)
        raise _refusal(
            where,
            f"it has the {known} likeliest tokens, and targets.k is {form.k}; ask the engine for"
            f" {form.k}, or use a smaller k",
        )
    mass = math.fsum(math.exp(value) for _, value, _ in found)
    if mass > 1 + ROUNDING:
        raise _refusal(where, f"its probabilities add up to {mass:.4g}, which is more than 1")
    ids, values, _ = zip(*kept)
    return ids, values


@functools.cache
def _numbers(vocabulary: int) -> dict[str, int]:
    """Each token by its number as JSON writes it, as the name in an object."""
    return {str(token): token for token in range(vocabulary)}


def _entry(name: str, entry: Any, where: str, form: Form) -> tuple[int, float, int]:
    """Token, log-probability and rank, 0 where the engine tells none; or the refusal."""
    token = int(name) if name.isascii() and name.isdecimal() and len(name) < 10 else -1
    _check_token(token if str(token) == name else name, where, form)
    log_p = entry.get("logprob") if isinstance(entry, dict) else None
    if not isinstance(log_p, int | float) or isinstance(log_p, bool):
        raise _refusal(where, f"token {token} has no number as its logprob")
    if not log_p <= ROUNDING:  # a NaN, too
        raise _refusal(where, f"token {token} has the logprob {_short(log_p)}; none is above 0")
    rank = entry.get("rank")
    is_rank = isinstance(rank, int) and not isinstance(rank, bool)
    # A whole number may be longer than any float.
    return token, min(float(max(log_p, LEAST)), 0.0), rank if is_rank else 0


def _check_token(token: Any, where: str, form: Form) -> None:
    if not isinstance(token, int) or isinstance(token, bool):
        raise _refusal(where, f"{_short(repr(token))} is no token's number")
    if not 0 <= token < form.vocabulary:
        raise _refusal(
            where,
            f"token {_short(token)} is outside the teacher's vocabulary of {form.vocabulary:,}; another model"
            " wrote it",
        )


def _short(found: object) -> str:
    """What a file holds may be of any length."""
    text = str(found)
    return text if len(text) <= 40 else f"{text[:40]}…"


def _refusal(where: str, why: str) -> UserError:
    return UserError(f"from_logprobs: {where}: {why}")
