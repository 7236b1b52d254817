"""Some records as a model reads them, with the tokens that count marked, for a person to look at."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kdlib.errors import UserError
from kdlib.jobs.context import RunModels, fitting_records
from kdlib.jobs.recipe import Recipe
from kdlib.machine.progress import watched
from kdlib.models.folders import load_tokenizer
from kdlib.records.loading import usable_records
from kdlib.records.marked import CLOSE, OPEN, marked
from kdlib.records.record import Record, as_records
from kdlib.records.rows import encode
from kdlib.records.template import ChatTemplate


def marked_records(recipe: Recipe, count: int) -> list[str]:
    """What the learners of a recipe read of its records.

    Args:
        recipe: its records, its template and its teacher's tokenizer are used.
        count: how many records, from all over the file.

    Returns:
        Lines to print: what was read and left out, then the records.

    Raises:
        UserError: for a recipe without records, and as `usable_records`.
    """
    if not recipe.data.records:
        raise UserError("data.records: this recipe reads a text; give --records FILE")
    source = usable_records(recipe.data.records, fitting_records(recipe), watched)
    records = as_records(source.documents)
    if not records:
        raise UserError("data.records: a column of texts has no turns; there is nothing to mark")
    tokenizer = load_tokenizer(RunModels(recipe, Path()).tokenizer)
    template = ChatTemplate(tokenizer, recipe.data.template)
    chosen = np.linspace(0, len(records) - 1, min(count, len(records))).astype(int)
    shown = [_marked(records[place], template) for place in chosen]
    return [
        *source.facts.lines(),
        f"Between {OPEN} and {CLOSE} stand the tokens that count.",
        *shown,
    ]


def _marked(record: Record, template: ChatTemplate) -> str:
    encoded = encode(record, template)
    counted = int((encoded.answer > 0).sum())
    head = f"\n--- {record.name}: {len(encoded.ids):,} tokens, of which {counted:,} count"
    return f"{head}\n{marked(encoded, template)}"
