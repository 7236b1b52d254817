"""The explorables: the words, the settings and the still picture of each, and the teacher's logits."""

from __future__ import annotations

import base64
import functools
import inspect
import json
from collections.abc import Iterable

import numpy as np
import torch

from kdlib.models.folders import POCKET_TEACHER, load_model, load_tokenizer
from kdlib.models.frozen import freeze
from kdlib.plots import Picture, curves, distributions
from kdlib.plots.chapter_04 import triangles
from kdlib.toys.students import one_peak, two_peaks
from website import cost_calculator, lambda_map, moor_walk
from website.explorable import Explorable

TEACHER_FILE = "teacher.js"  # the teacher's logits, beside the scripts


# ---------------------------------------------------------------- drag the student

SOUP = {"hot": 0.46, "salty": 0.28, "cold": 0.17, "spicy": 0.08, "purple": 0.01}


def _bars() -> Picture:
    even = [1 / len(SOUP)] * len(SOUP)
    return distributions(
        {"teacher": SOUP.values(), "student": even},
        list(SOUP),
        alt="The teacher gives the five words falling probabilities, from hot with 0.46 to purple "
        "with 0.01. A student that has learned nothing gives each of them 0.2.",
    )


# ---------------------------------------------------------------- one peak for two

PEAKS = {
    name: parameter.default for name, parameter in inspect.signature(two_peaks).parameters.items()
}
DESCENT = {"steps": 600, "rate": 0.1}  # as chapter 4 goes downhill
START = {"centre": 17.0, "width": 4.0}  # one of chapter 4's starts


def _peaks() -> Picture:
    two = two_peaks()
    size = PEAKS["size"]

    def shape(centre: float, width: float) -> torch.Tensor:
        return one_peak(size, torch.tensor(centre), torch.tensor(width)).exp()

    return curves(
        range(size),
        {"teacher": two.exp(), "covers": shape(17.25, 9.25), "seeks": shape(10.0, 2.0)},
        xlabel="outcome",
        ylabel="probability",
        alt="A teacher with a high peak on the left and a lower one on the right. One student is wide "
        "and covers both peaks and the valley between them; another is a copy of the left peak alone.",
    )


# ---------------------------------------------------------------- temperature

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


def teacher_file() -> str:
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
    data = json.dumps({"step": STEP, "prompts": prompts}, ensure_ascii=False)
    return f"globalThis.Explorables ??= {{}};\nExplorables.teacher = {data};\n"


def packed(numbers: Iterable[int]) -> bytes:
    """Whole numbers from 0 on, seven bits to a byte; a set eighth bit says that more follow."""
    found = bytearray()
    for number in map(int, numbers):
        while number > 127:
            found.append(number & 127 | 128)
            number >>= 7
        found.append(number)
    return bytes(found)


def readable(piece: str) -> str:
    """A token as a label: a piece that goes on with a word begins with a hyphen."""
    if not piece.strip():
        return {"": "(nothing)", " ": "(space)"}.get(piece, "(line)")
    if piece == "<|endoftext|>":
        return "(end)"
    return piece.strip() if piece[0].isspace() or not piece[0].isalpha() else f"-{piece}"


def _answers() -> Picture:
    logits, pieces = teacher_logits()
    ranked = logits[0].sort(descending=True)
    words = [readable(pieces[token]) for token in ranked.indices[:8]]
    series = {}
    for temperature in (0.5, 1, 2):
        p = (ranked.values / temperature).softmax(-1)
        series[f"T = {temperature:g}"] = [*p[:8].tolist(), p[8:].sum().item()]
    return distributions(
        series,
        [*words, "all others"],
        alt=f"The teacher's next word after “{PROMPTS[0]}” at three temperatures. Cold, the first word "
        "has most of it; hot, nearly everything lies beyond the first eight.",
    )


# ---------------------------------------------------------------- the triangle

TEACHER_OF_THREE = [0.8, 0.1, 0.1]  # of section 4.2, and so are the students
STUDENTS_OF_THREE = {
    "less sure": [0.70, 0.15, 0.15],
    "surer": [0.90, 0.05, 0.05],
    "exact top": [0.80, 0.19, 0.01],
    "one-hot": [1.00, 0.00, 0.00],
}


def _triangles() -> Picture:
    return triangles(
        TEACHER_OF_THREE,
        STUDENTS_OF_THREE,
        alt="Two triangles with the students of this section. On the left the lines of equal KL(P‖Q) "
        "bend away from the edges; on the right those of KL(Q‖P) run into them.",
    )


# ---------------------------------------------------------------- all of them

EXPLORABLES = {
    "drag_the_student": Explorable(
        "Drag the student",
        "“The soup is too …”: grey is the teacher P, blue the student Q. Pull a blue bar down to zero. "
        "Which of the two divergences minds? Then let each of them teach, step by step.",
        "What you give to one word the others lose, and they keep their proportions. A step is one of "
        "gradient descent in the student's logits, at a learning rate of 1.",
        {
            "words": list(SOUP),
            "teacher": list(SOUP.values()),
            "student": [1 / len(SOUP)] * len(SOUP),
        },
        _bars,
        ("divergences.js", "figure.js", "drag_the_student.js"),
    ),
    "simplex": Explorable(
        "All students of three words",
        "Every point is a student, the star is the teacher. Drag the dot to an edge, then into a corner: "
        "which of the two divergences goes to infinity there?",
        "The lines join students that are equally far from P: by 0.01, 0.03, 0.1, 0.3 and 1 nat. The "
        "buttons lead to the four students of the table.",
        {
            "words": ["output 1", "output 2", "output 3"],
            "teacher": TEACHER_OF_THREE,
            "students": STUDENTS_OF_THREE,
            "start": [0.3, 0.3, 0.4],
        },
        _triangles,
        ("divergences.js", "figure.js", "simplex.js"),
    ),
    "one_peak": Explorable(
        "One peak for two",
        "Grey is the teacher P. Drag the student, or click on the map of all students, and let it roll "
        "downhill. Which rings can it reach, and from where? Then choose another loss.",
        "Rings mark the places from which every way leads up. It rolls with Adam, 600 steps at a rate of "
        "0.1 as in the table above, and has momentum: it may roll through a small hollow.",
        PEAKS | {"start": START, "descent": DESCENT},
        _peaks,
        ("divergences.js", "figure.js", "peaks.js", "one_peak.js"),
    ),
    "temperature": Explorable(
        "The teacher at every temperature",
        "Drag the dot along the curve. Where do the words that you do not see take over? "
        "Is it the same temperature after every prompt?",
        "An upright tick is the probability at T = 1. Every logit of the teacher is here, "
        "rounded to a two-thousandth of a nat.",
        {"named": NAMED},
        _answers,
        ("divergences.js", "figure.js", TEACHER_FILE, "temperature.js"),
    ),
    "lambda_map": lambda_map.EXPLORABLE,
    "cost_calculator": cost_calculator.EXPLORABLE,
    "moor_walk": moor_walk.EXPLORABLE,
}
