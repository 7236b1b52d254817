"""The student's model card: what it is, what it learned from, what was measured, its licences."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kdlib.files import write_atomically
from kdlib.reports.formatting import short
from kdlib.reports.page import terminal_table

TEACHER_LICENCES = {
    "pocket": "The teacher ships with kdlib under the MIT licence; it learned from the same public"
    " text.",
    "smollm2": "The teacher is SmolLM2-135M-Instruct, under the Apache-2.0 licence, which asks for"
    " its notice to be kept.",
    "train": "The teacher was trained by the same run, from the same text.",
}
TEXT_LICENCES = {
    "sotu": "The text is the work of the United States government, in the public domain."
}
UNKNOWN = "The {} is the user's own: whatever its licence asks for applies to this model too."

SEEN_OF_TEACHER = {
    "exact": "It saw the teacher's whole distributions.",
    "sampled": "Of each of the teacher's distributions it saw {k} draws.",
    "top_k": "Of each of the teacher's distributions it saw the {k} likeliest tokens.",
    "with_tail": "Of each of the teacher's distributions it saw the {k} likeliest tokens, the rest"
    " as one.",
}
SPANS_OF_TEACHER = (
    "It saw how likely the teacher finds spans of the text, which both divide into tokens."
)

KEPT_FROM_TEACHER = "Nor has the teacher."
NOT_KNOWN_OF_TEACHER = "What the teacher has seen is not known here."

CARD = """\
---
library_name: transformers
pipeline_tag: text-generation
tags: [knowledge-distillation]
---

# {name}: a distilled student of {student} parameters

A causal language model that learned from the {teacher_name} teacher ({teacher} parameters) by
knowledge distillation with `kdlib`, version {version}.

```python
from transformers import AutoModelForCausalLM, AutoTokenizer

model = AutoModelForCausalLM.from_pretrained("path/to/this/folder")
tokenizer = AutoTokenizer.from_pretrained("path/to/this/folder")
```

## What it learned from

{seen:,} tokens of the text `{text}` ({documents}), {training:,} tokens in {steps:,} steps, repeats
counted. What it minimised: {objective}. {seen_of_teacher}

## What it can do

Measured on {test:,} tokens of {test_documents} of the same text, none of which the student
has seen. {teacher_saw}

```
{table}
```

Nothing else was measured. It continues text of this kind; it was not trained to answer, and nothing
was done about what it should not say.

## Licences

{licences}
"""


def write_model_card(report: dict[str, Any], folder: Path) -> None:
    """Write ``README.md`` beside the student's weights.

    Args:
        report: the run's report.
        folder: of the student.
    """
    write_atomically(folder / "README.md", model_card(report))


def model_card(report: dict[str, Any]) -> str:
    """The model card of a report's student, as Markdown with front matter."""
    recipe, text, data = report["recipe"], report["data"]["text"], report["data"]
    source = recipe["teacher"]["source"]
    return CARD.format(
        name=report["name"],
        student=short(report["student"]["parameters"]),
        teacher=short(report["teacher"]["parameters"]),
        teacher_name=_last_part(source),
        version=report["versions"]["kdlib"],
        text=_last_part(text),
        seen=data["student_training"]["tokens"],
        documents=_documents(data["student_training"]["documents"]),
        training=report["student"]["training_tokens"],
        steps=report["student"]["steps"],
        objective=_objective(recipe["objective"]),
        seen_of_teacher=_seen_of_teacher(recipe),
        test=data["test"]["tokens"],
        test_documents=_documents(data["test"]["documents"]),
        teacher_saw=KEPT_FROM_TEACHER if source in ("pocket", "train") else NOT_KNOWN_OF_TEACHER,
        table=terminal_table(report),
        licences=licences(source, text),
    )


def _last_part(path: str) -> str:
    """The name of a file or folder without where it is: of ``.``, too."""
    return Path(path).absolute().resolve().name


def _documents(count: int) -> str:
    return f"{count} document" + "s" * (count != 1)


def _objective(settings: dict[str, Any]) -> str:
    """The objective as a formula in words."""
    weight, alpha = settings["weight"], settings["weighing"] == "alpha"
    if weight == 0:
        return "CE alone, so nothing of the teacher"
    if alpha and weight == 1:
        formula = "KD alone"
    else:
        formula = f"{1 - weight:g} CE + {weight:g} KD" if alpha else f"CE + {weight:g} KD"
    return (
        f"{formula}, where KD is the {settings['divergence']} at temperature"
        f" {settings['temperature']:g}"
    )


def _seen_of_teacher(recipe: dict[str, Any]) -> str:
    """How much of the teacher's distributions the student saw."""
    if recipe["objective"]["weight"] == 0:
        return ""
    if recipe["student"]["cross_tokenizer"]:
        return SPANS_OF_TEACHER
    return SEEN_OF_TEACHER[recipe["targets"]["kind"]].format(k=recipe["targets"]["k"])


def licences(source: str, text: str) -> str:
    """What is known about the licences.

    Args:
        source: ``teacher.source`` of the recipe.
        text: ``data.text`` of the recipe.
    """
    teacher = TEACHER_LICENCES.get(source, UNKNOWN.format("teacher"))
    return f"{teacher} {TEXT_LICENCES.get(text, UNKNOWN.format('text'))}"
