"""A passage of the test text, read token by token by each model of a run."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from kdlib.data.blocks import Blocks
from kdlib.jobs.scoring import Exam
from kdlib.losses.alignment import next_token
from kdlib.losses.softmax import log_softmax
from kdlib.machine.turns import on_device

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

PASSAGE_TOKENS, LIKELIEST, DIGITS = 72, 5, 3


def read_passage(
    loaded: dict[str, nn.Module],
    exam: Exam,
    tokenizer: PreTrainedTokenizerFast,
    accelerator: Accelerator,
) -> dict[str, Any]:
    """What each model expected in the place of every token of a passage.

    Args:
        loaded: models that share the tokenizer, by name.
        exam: the test text. The passage is the end of a block in its middle, so that the models
            have read something before it.
        tokenizer: of the models.
        accelerator: device and mixed precision.

    Returns:
        The "document" that the passage is from, its "tokens" as texts, for a record which of them
        "counted" (1, or 0 for what is only read), and for each model the lists "nll" (nats), "top5"
        (the likeliest tokens) and "probability" (of those), one item a token.
    """
    number = _middle_block(exam.blocks)
    real = exam.blocks.mask[number].bool()
    ids, spell = exam.blocks.ids[number][real], _speller(tokenizer)
    labels = ids[1:][-PASSAGE_TOKENS:]
    readings = {
        name: _reading(_expected(model, ids, accelerator)[-PASSAGE_TOKENS:], labels, spell)
        for name, model in loaded.items()
    }
    place = exam.blocks.document
    document = 0 if place is None else int(place[number][real][-1])
    passage: dict[str, Any] = {
        "document": exam.documents[document].name,
        "tokens": [spell(token) for token in labels.tolist()],
    }
    if exam.blocks.answer is not None:
        counted = exam.blocks.answer[number][real][1:][-PASSAGE_TOKENS:] > 0
        passage["counted"] = counted.int().tolist()
    return passage | readings


def _middle_block(blocks: Blocks) -> int:
    """The middle one of the full blocks within one document, if there are such; else of all."""
    whole = blocks.full()
    if (document := blocks.document) is not None:
        parts = [document[rows] for rows in blocks.parts()]
        whole &= torch.cat([(part == part[:, :1]).all(1) for part in parts])
    rows = whole.nonzero().flatten().tolist() or list(range(len(blocks)))
    return int(rows[len(rows) // 2])


@torch.no_grad()
def _expected(model: nn.Module, ids: Tensor, accelerator: Accelerator) -> Tensor:
    """The model's log-probabilities of each next token: (S,) -> (S - 1, V)."""
    ids = ids[None].to(accelerator.device)
    with on_device([model], accelerator.device), accelerator.autocast():
        logits = model(input_ids=ids, use_cache=False).logits
    return log_softmax(next_token(logits, ids)[0])[0].cpu()


def _reading(log_q: Tensor, labels: Tensor, spell: Callable[[int], str]) -> dict[str, Any]:
    """Surprise and expectation at each token, from log-probabilities (T, V)."""
    nll = -log_q.gather(-1, labels[:, None])[:, 0]
    likeliest = log_q.topk(min(LIKELIEST, log_q.shape[-1]))
    return {
        "nll": _rounded(nll),
        "top5": [[spell(token) for token in row] for row in likeliest.indices.tolist()],
        "probability": [_rounded(row) for row in likeliest.values.exp()],
    }


def _rounded(values: Tensor) -> list[float]:
    return [round(value, DIGITS) for value in values.tolist()]


def _speller(tokenizer: PreTrainedTokenizerFast) -> Callable[[int], str]:
    """A function from a token's id to its text, with the space that it begins with."""

    def decode(ids: list[int]) -> str:
        return str(tokenizer.decode(ids, clean_up_tokenization_spaces=False))

    # Some decoders drop the space at the start of a text, so each token is spelt after another.
    first = tokenizer.encode("a", add_special_tokens=False)
    before = decode(first)
    return cache(lambda token: decode([*first, token]).removeprefix(before))
