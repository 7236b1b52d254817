"""Accepting an entry: train it again, compare, and only then measure it on the test documents."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from kdlib.challenge.entry import Entry, write_record
from kdlib.challenge.running import Attempt, exam, record_of, tokens_by_document, train
from kdlib.errors import UserError
from kdlib.jobs.learners import learners
from kdlib.models.folders import load_tokenizer

# Nats per token. Other processors round otherwise, and a training of another rounding is another.
TOLERANCE = 0.03


def accept(attempt: Attempt, submitted: Entry, path: Path) -> dict[str, Any]:
    """Train a submitted entry again, and fill in its test.

    Args:
        attempt: of the submitted recipe.
        submitted: the entry, which has no test yet.
        path: of its record, which is replaced.

    Returns:
        The record with a test: the means of the trainings in nats per token, and the date.

    Raises:
        UserError: for an entry that has a test already, or one that comes out otherwise here.
    """
    if submitted.record["test"] is not None:
        raise UserError(f"accept: {path} has been accepted already; an entry meets the test once")
    here = record_of(attempt, train(attempt))["validation"]
    if abs(here - submitted.validation) > TOLERANCE:
        raise UserError(
            f"accept: trained here, {submitted.name} reaches {here:.4f} nats per token on validation;"
            f" the entry says {submitted.validation:.4f}, and {TOLERANCE} is what processors may"
            " differ by"
        )
    record = submitted.record | {"test": _test(attempt)}
    write_record(path, record)
    return record


def _test(attempt: Attempt) -> dict[str, Any]:
    """Each training on the test documents."""
    context = attempt.classroom.context
    blocks = context.models.blocks(context.text.test, load_tokenizer(context.models.tokenizer))
    losses = exam(attempt, blocks).sum(1) / tokens_by_document(blocks).sum()
    return {
        "seeds": [learner.seed for learner in learners(attempt.recipe)],
        "nats_per_token": [round(float(each), 4) for each in losses],
        "date": time.strftime("%Y-%m-%d"),
    }
