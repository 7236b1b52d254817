"""The explorable of chapter 1: the teacher's own distributions, at every temperature.

The figure needs all logits of a few prompts. They are stored as a script beside the figure's own, as
another processor computes them a hair differently and a notebook's figure must be the page's.
"""

from __future__ import annotations

import base64
import functools
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from kdlib.models.folders import POCKET_TEACHER, load_model, load_tokenizer
from kdlib.models.frozen import freeze
from kdlib.plots import Picture, distributions
from website.explorable import Explorable

STORED = Path(__file__).parent / "static" / "explorables" / "teacher.js"
BEFORE, AFTER = "globalThis.Explorables ??= {};\nExplorables.teacher = ", ";\n"

NAMED = 20  # words with a bar of their own
STEP = 2**-11  # nats; logits are rounded to its multiples
PROMPTS = (
    "The Secretary of", "The President of the United", "The Government of Great", "We must",
    "I thank", "I am", "At the close of the fiscal year ended June 30,", "The people of the",
    "Our army and", "In the last year the", "I recommend to", "The public debt", "Peace and",
    "A treaty of", "Our foreign", "The power of the", "It is my", "The price of", "I am happy to",
    "The men and women of",
)  # fmt: skip


@functools.cache
def teacher_logits() -> tuple[torch.Tensor, list[str]]:
    """The teacher's logits after each prompt, (prompts, V), and the text of every token."""
    teacher, tokenizer = freeze(load_model(POCKET_TEACHER)), load_tokenizer(POCKET_TEACHER)
    rows = []
    for prompt in PROMPTS:
        ids = [tokenizer.eos_token_id, *tokenizer(prompt).input_ids]
        with torch.no_grad():
            rows.append(teacher(input_ids=torch.tensor([ids])).logits[0, -1].double())
    return torch.stack(rows), [tokenizer.decode(token) for token in range(len(tokenizer))]


def script() -> str:
    """The logits of all prompts as a script: every one of the vocabulary, for any temperature.

    They fall from the likeliest on, rounded to multiples of `STEP`, so each is at most half a step
    off. At temperature T a log-probability is then at most ``STEP / T`` off, 0.0005 nats at T = 1.
    Stored are the first and the differences, in bytes of seven bits, low bits first.
    """
    logits, pieces = teacher_logits()
    prompts = []
    for prompt, row in zip(PROMPTS, logits):
        ranked = row.sort(descending=True)
        levels = np.rint(ranked.values.numpy() / STEP).astype(int)
        prompts.append(
            {
                "text": prompt,
                "words": [readable(pieces[token]) for token in ranked.indices[:NAMED]],
                "highest": int(levels[0]),
                "steps": base64.b64encode(packed(levels[:-1] - levels[1:])).decode("ascii"),
            }
        )
    return BEFORE + json.dumps({"step": STEP, "prompts": prompts}, ensure_ascii=False) + AFTER


def stored() -> tuple[torch.Tensor, list[dict[str, Any]]]:
    """The stored logits as the figure reads them, (prompts, V), falling; and the stored prompts."""
    text = STORED.read_text("utf-8")
    data = json.loads(text.removeprefix(BEFORE).removesuffix(AFTER))
    rows = []
    for prompt in data["prompts"]:
        falls = unpacked(base64.b64decode(prompt["steps"]))
        rows.append(prompt["highest"] - np.concatenate([[0], np.cumsum(falls)]))
    return torch.from_numpy(np.stack(rows)).double() * data["step"], data["prompts"]


def is_stale() -> bool:
    """Whether what is stored is not what the teacher says, a step for another processor granted."""
    if not STORED.exists():
        return True
    (held, prompts), (logits, _) = stored(), teacher_logits()
    ranked = logits.sort(descending=True).values
    same = [prompt["text"] for prompt in prompts] == list(PROMPTS) and held.shape == ranked.shape
    return not same or (held - ranked).abs().max().item() > STEP


def packed(numbers: Iterable[int]) -> bytes:
    """Whole numbers from 0 on, seven bits to a byte; a set eighth bit says that more follow."""
    found = bytearray()
    for number in map(int, numbers):
        while number > 127:
            found.append(number & 127 | 128)
            number >>= 7
        found.append(number)
    return bytes(found)


def unpacked(data: bytes) -> list[int]:
    """The whole numbers that `packed` has made bytes of."""
    found, number, shift = [], 0, 0
    for byte in data:
        number |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            found.append(number)
            number = shift = 0
    return found


def readable(piece: str) -> str:
    """A token as a label: a piece that goes on with a word begins with a hyphen."""
    if not piece.strip():
        return {"": "(nothing)", " ": "(space)"}.get(piece, "(line)")
    if piece == "<|endoftext|>":
        return "(end)"
    return piece.strip() if piece[0].isspace() or not piece[0].isalpha() else f"-{piece}"


def _answers() -> Picture:
    logits, prompts = stored()
    series = {}
    for temperature in (0.5, 1, 2):
        p = (logits[0] / temperature).softmax(-1)
        series[f"T = {temperature:g}"] = [*p[:8].tolist(), p[8:].sum().item()]
    return distributions(
        series,
        [*prompts[0]["words"][:8], "all others"],
        alt=f"The teacher's next word after “{PROMPTS[0]}” at three temperatures. Cold, the first word "
        "has most of it; hot, nearly everything lies beyond the first eight.",
    )


EXPLORABLE = Explorable(
    "The teacher at every temperature",
    "Drag the dot along the curve. Where do the words that you do not see take over? "
    "Is it the same temperature after every prompt?",
    "An upright tick is the probability at T = 1. Every logit of the teacher is here, "
    "rounded to a two-thousandth of a nat.",
    {"named": NAMED},
    _answers,
    ("divergences.js", "figure.js", STORED.name, "temperature.js"),
)
