"""Measuring the finished models of a run: its report and its model card."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import nn

from kdlib.data.blocks import Blocks
from kdlib.data.document import text_sha256
from kdlib.data.sources import open_source
from kdlib.errors import UserError
from kdlib.files import locked
from kdlib.jobs.answers import check_answers
from kdlib.jobs.checks import refuse_unfinished_run
from kdlib.jobs.context import (
    RunContext,
    RunModels,
    fitting_records,
    open_context,
    open_device,
    read_text,
)
from kdlib.jobs.kept import load_finished
from kdlib.jobs.loss_pass import PASS
from kdlib.jobs.measured_models import measured_models
from kdlib.jobs.model_guard import refuse_other_models
from kdlib.jobs.own_texts import on_own_texts
from kdlib.jobs.passage import read_passage
from kdlib.jobs.phase_records import cost_entries, shown_metrics
from kdlib.jobs.recipe_files import recipe_of_run
from kdlib.jobs.record_answers import sample_answers
from kdlib.jobs.samples import sample_documents
from kdlib.jobs.scoring import Entrants, Exam, count_ngrams, open_exam, score_run
from kdlib.jobs.text_guard import changed_splits, refuse_another_text
from kdlib.jobs.threads import THREADS, threads_of
from kdlib.machine.devices import (
    describe_machine,
    library_versions,
    peak_accelerator_bytes,
    peak_memory_bytes,
)
from kdlib.machine.progress import watched
from kdlib.models.folders import load_tokenizer
from kdlib.models.ngram import NGram
from kdlib.models.vocabularies import token_slots
from kdlib.records.loading import usable_records
from kdlib.records.record import as_records
from kdlib.reports.agreement import agreement_leads
from kdlib.reports.by_answer import by_answer
from kdlib.reports.fields import FORMAT
from kdlib.reports.model_card import write_model_card
from kdlib.reports.page import write_report
from kdlib.reports.score_file import Scores
from kdlib.reports.verdict import verdict
from kdlib.reports.where_lost import where_lost
from kdlib.training.run_folder import require_run
from kdlib.training.run_state import record_phase

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


def measure_run(context: RunContext, teacher: nn.Module | None = None) -> dict[str, Any]:
    """Measure a run's finished models on its test documents, and write report and model card.

    Every learner is loaded from its folder, so what is measured is what was saved. What has been
    scored before is read from the run's folder.

    Args:
        context: the run, whose learners are finished.
        teacher: as it has taught, frozen; None: it is loaded, too.

    Returns:
        The report.
    """
    started = time.perf_counter()
    models, text = context.models, context.text
    entrants = Entrants(models, _load(models, teacher), *count_ngrams(models, text.seen))
    exam = open_exam(models, text.test)
    scores = score_run(entrants, exam, context.accelerator)
    measured = measured_models(entrants, exam, scores, context.accelerator)
    closer = _look_closer(context, entrants, exam, scores)
    records = as_records(text.splits.test)
    samples = (
        sample_answers(models, entrants.loaded, records, context.accelerator.device)
        if records
        else sample_documents(models, entrants.loaded, text.splits.test, context.accelerator.device)
    )
    state = record_phase(context.folder, "evaluation", time.perf_counter() - started)
    report = {
        "format": FORMAT,
        "name": state["name"],
        "recipe": dataclasses.asdict(context.recipe),
        "seed": context.recipe.seed,
        "versions": library_versions(),
        "machine": describe_machine(context.accelerator, context.precision)
        | {name: state[name] for name in (PASS, THREADS) if name in state},
        "data": _data_facts(context, load_tokenizer(models.tokenizer)),
        **measured,
        **closer,
        **check_answers(models, text.test, context.accelerator),
        **({"targets": state["targets"]} if "targets" in state else {}),
        **cost_entries(state),
        "peak_memory_bytes": peak_memory_bytes(),
        **_accelerator_memory(),
        "samples": samples,
    }
    report["verdict"] = verdict(report)
    write_report(report, shown_metrics(context.folder), context.folder)
    write_model_card(report, context.folder / "student")
    return report


def _accelerator_memory() -> dict[str, int]:
    """The peak of a GPU's memory, if there is one."""
    peak = peak_accelerator_bytes()
    return {} if peak is None else {"peak_accelerator_bytes": peak}


def measure_again(folder: Path) -> dict[str, Any]:
    """Measure a run's finished models again and replace its report.

    Args:
        folder: the run's folder.

    Returns:
        The new report.

    Raises:
        UserError: for a folder that is no run, is not finished or is in use, for a model in it that is damaged, and
            for a text that cannot be read or is not the text of the run.
    """
    require_run(folder)
    context = open_context(recipe_of_run(folder), folder)
    refuse_unfinished_run(context.models)
    refuse_another_text(context)
    refuse_other_models(context.models)
    with locked(folder), threads_of(folder, context.accelerator.device):
        return measure_run(context)


def measure_on(folder: Path, text: str) -> dict[str, Any]:
    """Measure a run's finished models on all of another text.

    The scores are kept in the run's folder; its report stays. The run's own text need not be there
    any more, but without it there is no n-gram of it.

    Args:
        folder: the run's folder.
        text: a text file or a folder of them.

    Returns:
        The entries of the report on the models and on their comparison, with a verdict.

    Raises:
        UserError: for a folder that is no run or is not finished, for a model in it that is
            damaged, and for a text that cannot be read.
    """
    require_run(folder)
    recipe = recipe_of_run(folder)
    models, (accelerator, _) = RunModels(recipe, folder), open_device(recipe)
    refuse_unfinished_run(models)
    refuse_other_models(models)
    source = (
        usable_records(text, fitting_records(recipe), watched)
        if recipe.data.records
        else open_source(text, watch=watched)
    )
    exam = open_exam(models, source.documents)
    entrants = Entrants(models, _load(models), *_ngram(models))
    with threads_of(folder, accelerator.device):
        scores = score_run(entrants, exam, accelerator)
        measured = measured_models(entrants, exam, scores, accelerator)
    measured["data"] = {"test": {"documents": len(source.documents)}, "read": source.facts.lines()}
    return measured | {"verdict": verdict(measured | {"recipe": dataclasses.asdict(recipe)})}


def _ngram(models: RunModels) -> tuple[NGram | None, float]:
    """The n-gram model of what the student read, if that text is still there as it was."""
    try:
        text = read_text(models.recipe)
    except UserError:
        return None, 1
    # Counted in a text that was exchanged since, it might know the very text that it is tested on.
    return (None, 1) if changed_splits(models.folder, text) else count_ngrams(models, text.seen)


def _load(models: RunModels, teacher: nn.Module | None = None) -> dict[str, nn.Module]:
    """The models that a report shows in full, by name."""
    there = {} if teacher is None else {"teacher": teacher}
    return {name: there.get(name) or load_finished(models, name) for name in models.of_first_seed}


def _look_closer(
    context: RunContext, entrants: Entrants, exam: Exam, scores: Scores
) -> dict[str, Any]:
    """The report's entries on single tokens, where student and teacher share them."""
    models = context.models
    if context.recipe.student.cross_tokenizer:
        return {}
    tokenizer = load_tokenizer(models.tokenizer)
    lesson = models.blocks(context.text.seen, tokenizer)
    counts = _counts(lesson, token_slots(tokenizer))
    documents = [document.name for document in exam.documents]
    return {
        "agreement_lead": agreement_leads(scores),
        "where_lost": where_lost(scores, counts, documents),
        "passage": read_passage(entrants.loaded, exam, tokenizer, context.accelerator),
        **(
            on_own_texts(entrants.loaded, exam.blocks, context.recipe.seed, context.accelerator)
            if exam.blocks.answer is None
            else {"by_answer": by_answer(scores, exam.blocks)}
        ),
    }


def _counts(blocks: Blocks, slots: int) -> np.ndarray:
    """How often each token is one that counts: (V,)."""
    counts = np.zeros(slots, np.int64)
    for rows in blocks.parts():
        counts += np.bincount(blocks.ids[rows, 1:][blocks.counted(rows)], minlength=slots)
    return counts


def _data_facts(context: RunContext, tokenizer: PreTrainedTokenizerFast) -> dict[str, Any]:
    """Name of the text, and checksum and size of each split."""
    splits = context.text.named_splits
    facts: dict[str, Any] = {"text": context.recipe.data.name}
    for name, documents in splits.items():
        blocks = context.models.blocks(documents, tokenizer)
        facts[name] = {
            "sha256": text_sha256(documents),
            "documents": len(documents),
            "bytes": blocks.bytes,
            "tokens": blocks.predicted_tokens,
        }
    return facts
