"""What a run's models answer to the prompts of records: samples to read, and exact matches."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from kdlib.jobs.context import RunModels
from kdlib.jobs.samples import SAMPLES, generate
from kdlib.machine.progress import progress_bar
from kdlib.machine.turns import on_device
from kdlib.models.folders import load_tokenizer
from kdlib.records.record import Record
from kdlib.records.rows import encode
from kdlib.records.template import ChatTemplate

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

SAMPLE_TOKENS = 96


class Question(NamedTuple):
    """A record up to its last answer.

    Attributes:
        ids: (1, P) int64, its tokens.
        text: the same as text.
        stop: the token that ends the answer.
        tokens: of the answer that the record gives, with its stop token.
    """

    ids: Tensor
    text: str
    stop: int
    tokens: int


def question(record: Record, template: ChatTemplate) -> Question:
    """What a model is asked.

    Args:
        record: any record.
        template: of the model.
    """
    encoded = encode(record, template)
    answer = np.flatnonzero(encoded.answer == encoded.answer.max())
    ids = encoded.ids[: answer[0]]
    text = template.tokenizer.backend_tokenizer.decode(ids.tolist(), skip_special_tokens=False)
    return Question(torch.from_numpy(ids)[None], text, int(encoded.ids[answer[-1]]), len(answer))


def sample_answers(
    models: RunModels, loaded: dict[str, nn.Module], records: list[Record], device: torch.device
) -> list[dict[str, str]]:
    """Let each loaded model answer the prompts of some records, with the same seed.

    Args:
        models: the run.
        loaded: the models, by name.
        records: of which the last ``SAMPLES`` are used.
        device: where they answer, one model after the other.

    Returns:
        For each record the "prompt", the "reference" that the record gives, and the answer by name
        of the model.
    """
    tokenizer = load_tokenizer(models.tokenizer)
    template = ChatTemplate(tokenizer, models.recipe.data.template)
    asked = [(question(record, template), record.reference) for record in records[-SAMPLES:]]
    samples = [{"prompt": each.text, "reference": reference} for each, reference in asked]
    for name, model in loaded.items():
        with on_device([model], device):
            for sample, (each, _) in zip(samples, asked):
                sample[name] = _answer(model, tokenizer, each, SAMPLE_TOKENS, models.recipe.seed)
    return samples


def exact_matches(
    name: str, model: nn.Module, models: RunModels, records: list[Record]
) -> np.ndarray:
    """Which prompts a model answers as the record does, with the likeliest token each time.

    Args:
        name: shown beside the progress bar.
        model: a finished model of the run.
        models: the run.
        records: the test.

    Returns:
        (D,) 1 where the last answer is the record's, as `normalised` compares them.
    """
    tokenizer = load_tokenizer(models.tokenizer)
    template = ChatTemplate(tokenizer, models.recipe.data.template)
    right = np.zeros(len(records))
    with progress_bar(f"answers, {name}", len(records)) as progress:
        for number, record in enumerate(records):
            asked = question(record, template)
            # What is longer than the reference cannot be the same.
            text = _answer(model, tokenizer, asked, asked.tokens + 1, None)
            right[number] = normalised(text) == normalised(record.reference)
            progress.update()
    return right


def normalised(answer: str) -> str:
    """An answer as it is compared: without differences of Unicode's form (NFKC), of letters' case and
    of white space, and without white space and a full stop at its end."""
    return " ".join(unicodedata.normalize("NFKC", answer).casefold().split()).removesuffix(".")


def _answer(
    model: nn.Module,
    tokenizer: PreTrainedTokenizerFast,
    asked: Question,
    tokens: int,
    seed: int | None,
) -> str:
    return generate(model, tokenizer, asked.ids, tokens, seed, stop=asked.stop).strip()
