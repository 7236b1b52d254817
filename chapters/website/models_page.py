"""The page on which the book's own models run: its text, its panel, and what it shows without them.

What stands in the table before the models are loaded, and where there is no JavaScript, was computed
in Python with the same rounded weights. static/models/models.js writes over it.
"""

from __future__ import annotations

import functools
import html
import json
import math
from collections.abc import Iterable
from pathlib import Path

import torch
from torch import Tensor

from kdlib.models.folders import POCKET_TEACHER, load_tokenizer
from website import models_files, small_students
from website.links import Links
from website.models_files import NAMES, READ

NAME = "three_models"
TEXT = Path(__file__).with_name(f"{NAME}.md")
BEGINNING = "Our relations with"
WORDS = 10
SCALES = (0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 0.75, 1.0)  # what a full bar may stand for
SIGNS = str.maketrans({" ": "␣", "\n": "↵", "\r": "␍", "\t": "⇥"})
TAUGHT = {
    "teacher": "text: all training documents",
    "student": "the teacher, on {tokens:,} tokens",
    "control": "text: {tokens:,} tokens",
}


def page(links: Links) -> str:
    """The page as Markdown."""
    exams, small = small_students.exams(), small_students.manifest()
    vocabulary = models_files.config("teacher")["vocabulary"]
    text = TEXT.read_text("utf-8").format(
        style='<link rel="stylesheet" href="_static/models/models.css">',
        about=_about(),
        panel=panel(),
        tokens=f"{vocabulary:,}",
        uniform=f"{math.log(vocabulary):.2f}",
        megabytes=megabytes(),
        most=READ,
        least=READ * 3 // 4 + 1,
        rounding={name: f"{exams[name]['rounding']:.4f}" for name in NAMES},
        **small,
    )
    return links.linked(text)


def megabytes() -> str:
    """What is loaded, in millions of bytes."""
    return f"{sum(sizes().values()) / 1e6:.1f}"


@functools.cache
def sizes() -> dict[str, int]:
    """Bytes of each script with weights or tokens, in the order in which they are loaded."""
    return {name: len(text.encode()) for name, text in models_files.files().items()}


def _about() -> str:
    """Who the three are, as a table that a phone has room for."""
    exams, small = small_students.exams(), small_students.manifest()
    heads = ("model", "parameters", "taught by", "loss", "KL")
    rows = ["<tr>", *(f'<th scope="col">{head}</th>' for head in heads), "</tr>"]
    for name in NAMES:
        weights = sum(weight.numel() for weight in models_files.weights_of(name).values())
        taught = TAUGHT[name].format(**small.get(name, {}))
        distance = "–" if name == "teacher" else f"{exams[name]['forward KL']:.2f}"
        cells = (f"{weights:,}", taught, f"{exams[name]['loss']:.2f}", distance)
        rows.append(_row(name, map(_cell, cells)))
    return f'<table class="models-table models-about">{"".join(rows)}</table>'


# ---------------------------------------------------------------- the panel


def panel() -> str:
    """Button, controls and table as HTML without blank lines, so that it can stand in Markdown."""
    data = {"files": sizes(), "words": WORDS, "scales": SCALES}
    lines = [
        '<div class="models" id="models" data-folder="_static/models/">',
        "<noscript><p>The models run in JavaScript, which is switched off here. The table shows one "
        "beginning, computed with the same weights in Python.</p></noscript>",
        '<p class="models-start" hidden><button type="button" id="models-load">Load the three models, '
        f'{megabytes()} MB</button> <progress id="models-progress" aria-label="Loaded" value="0" max="1" '
        'hidden></progress> <span id="models-status" role="status"></span></p>',
        _controls(),
        table(BEGINNING),
        '<p class="visually-hidden" id="models-said" role="status"></p>',
        f'<script type="application/json" id="models-data">{json.dumps(data)}</script>',
        '<script src="_static/models/models.js" defer></script>',
        "</div>",
    ]
    return "\n".join(lines)


def _controls() -> str:
    writers = " ".join(
        f'<label><input type="radio" name="models-writer" value="{name}"'
        f"{' checked' if name == 'student' else ''}> {name}</label>"
        for name in NAMES
    )
    return "\n".join(
        (
            '<form id="models-form" hidden>',
            '<label for="models-text">The beginning of a text</label>',
            f'<textarea id="models-text" rows="3" maxlength="4000" spellcheck="false">{BEGINNING}</textarea>',
            '<p class="models-tokens"><span>As tokens (␣ is a space):</span> <span id="models-tokens"></span></p>',
            '<p class="models-line"><label for="models-temperature">Temperature</label>',
            '<input type="range" id="models-temperature" min="0.1" max="3" step="0.05" value="1">',
            '<output id="models-degrees" for="models-temperature" aria-live="off">1.00</output></p>',
            f'<fieldset class="models-line"><legend>Writer</legend> {writers}</fieldset>',
            '<p class="models-line"><label>Seed <input type="number" id="models-seed" value="0" min="0" '
            'max="999999" step="1"></label>',
            '<button type="button" id="models-one">Write a token</button>',
            '<button type="button" id="models-many">Write 20</button>',
            '<button type="button" id="models-back">Back to my beginning</button></p>',
            "</form>",
        )
    )


def table(beginning: str) -> str:
    """The three distributions after a beginning, at temperature 1, as models.js draws them."""
    logs = log_probabilities(beginning)
    ids = words(logs)
    shares = logs.exp()
    full = full_bar(float(shares[:, ids].max()))
    rows = [
        _row(
            visible(id),
            [
                _bar(float(share), full, id == int(log.argmax()))
                for share, log in zip(shares[:, id], logs)
            ],
        )
        for id in ids
    ]
    rest = [percent(1 - float(each[ids].sum())) for each in shares]
    rows.append(_row(f"{logs.shape[1] - WORDS:,} others", [_cell(each) for each in rest]))
    heads = "".join(f'<th scope="col">{name}</th>' for name in NAMES)
    return "\n".join(
        (
            '<table class="models-table" id="models-table">',
            f"<caption>{html.escape(caption(beginning, 1.0, full))}</caption>",
            f'<thead><tr><th scope="col">next token</th>{heads}</tr></thead>',
            f'<tbody class="models-words">{"".join(rows)}</tbody>',
            f'<tbody class="models-numbers">{"".join(_numbers(logs))}</tbody>',
            "</table>",
        )
    )


def caption(beginning: str, temperature: float, full: float) -> str:
    return (
        f"What may follow “{beginning}”, at temperature {temperature:.2f}. "
        f"A full bar is {100 * full:.0f}\u00a0%; the likeliest of each model is bold."
    )


def _numbers(logs: Tensor) -> list[str]:
    """The rows of entropies and divergences, in nats."""
    entropies = [f"{float(-(log.exp() * log).sum()):.3f}" for log in logs]
    forward = [f"{divergence(logs[0], log):.3f}" for log in logs[1:]]
    reverse = [f"{divergence(log, logs[0]):.3f}" for log in logs[1:]]
    return [
        _row("entropy, nats", map(_cell, entropies)),
        _row("forward KL(P‖Q)", map(_cell, ("–", *forward))),
        _row("reverse KL(Q‖P)", map(_cell, ("–", *reverse))),
    ]


def _cell(text: str) -> str:
    return f"<td><span>{text}</span></td>"


def _row(head: str, cells: Iterable[str]) -> str:
    return f'<tr><th scope="row">{html.escape(head)}</th>{"".join(cells)}</tr>'


def _bar(share: float, full: float, best: bool) -> str:
    kind = ' class="best"' if best else ""
    bar = f'<span class="bar" style="--share: {share / full:.3f}"></span>'
    return f"<td{kind}><span>{percent(share)}</span>{bar}</td>"


def percent(share: float) -> str:
    return "&lt; 0.1\u00a0%" if share < 0.0005 else f"{100 * share:.1f}\u00a0%"


def full_bar(largest: float) -> float:
    return next(scale for scale in SCALES if largest <= scale + 1e-9)


# ---------------------------------------------------------------- what the table holds


@functools.cache
def log_probabilities(beginning: str) -> Tensor:
    """(3, V) float64, of teacher, student and control as they are on the page."""
    tokenizer = load_tokenizer(POCKET_TEACHER).backend_tokenizer
    encoded = tokenizer.encode(beginning, add_special_tokens=False).ids
    ids = torch.tensor([[models_files.tokens()["end"]["id"], *encoded]])
    with torch.inference_mode():
        logits = [models_files.as_on_the_page(name)(ids).logits[0, -1] for name in NAMES]
    return torch.stack(logits).double().log_softmax(-1)


def words(logs: Tensor) -> list[int]:
    """The tokens that any of the three finds likeliest, in the teacher's order."""
    best = logs.amax(0).topk(WORDS).indices
    return best[logs[0, best].argsort(descending=True)].tolist()


def divergence(log_p: Tensor, log_q: Tensor) -> float:
    return float((log_p.exp() * (log_p - log_q)).sum())


def visible(id: int) -> str:
    """A token as a reader can see it."""
    tokenizer = load_tokenizer(POCKET_TEACHER).backend_tokenizer
    return tokenizer.decode([id], skip_special_tokens=False).translate(SIGNS)
