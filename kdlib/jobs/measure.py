"""Measuring the finished models of a run: its report, its model card, its teacher's provenance."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from accelerate import Accelerator
from torch import nn

from kdlib.data.blocks import Blocks
from kdlib.data.documents import Document, load_documents
from kdlib.files import locked, write_atomically
from kdlib.jobs.context import RunContext, RunModels, open_context, open_device
from kdlib.jobs.recipe_files import recipe_of_run
from kdlib.jobs.samples import sample_documents
from kdlib.machine.devices import describe_machine, library_versions, peak_memory_bytes
from kdlib.models.folders import load_model, load_tokenizer, load_whole_model, stored_slots
from kdlib.models.from_scratch import parameter_count
from kdlib.models.vocabularies import surplus_mass, surplus_slots, token_slots
from kdlib.reports.fields import CONTROLS, FORMAT
from kdlib.reports.intervals import advantage, gap_closed
from kdlib.reports.model_card import write_model_card
from kdlib.reports.page import write_report
from kdlib.reports.scores import BlockSums, score_models, summarise_scores
from kdlib.training.run_folder import Metrics, read_state, record_seconds, require_run

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


def measure_run(context: RunContext) -> dict[str, Any]:
    """Measure a run's finished models on its test documents, and write report and model card.

    Every model is loaded from its folder, so what is measured is what was saved.

    Args:
        context: the run, whose student is finished.

    Returns:
        The report.
    """
    started = time.perf_counter()
    models, text = context.models, context.text
    loaded, tokenizer = _load(models)
    scores = _scores(models, loaded, text.test, context.accelerator)
    samples = sample_documents(models, loaded, text.splits.test)
    state = record_seconds(context.folder, "evaluation", time.perf_counter() - started)
    report = {
        "format": FORMAT,
        "name": state["name"],
        "recipe": dataclasses.asdict(context.recipe),
        "seed": context.recipe.seed,
        "versions": library_versions(),
        "machine": describe_machine(context.accelerator, context.precision),
        "data": _data_facts(context, tokenizer),
        **scores,
        **({"targets": state["targets"]} if "targets" in state else {}),
        "seconds": state["seconds"] | {"total": sum(state["seconds"].values())},
        "peak_memory_bytes": peak_memory_bytes(),
        "samples": samples,
    }
    write_report(report, Metrics(context.folder).rows(), context.folder)
    write_model_card(report, context.folder / "student")
    return report


def measure_again(folder: Path) -> dict[str, Any]:
    """Measure a run's finished models again and replace its report.

    Args:
        folder: the run's folder.

    Returns:
        The new report.

    Raises:
        UserError: for a folder that is no run or is in use, for a model in it that is damaged, and
            for a text that cannot be read.
    """
    require_run(folder)
    context = open_context(recipe_of_run(folder), folder)
    with locked(folder):
        return measure_run(context)


def measure_on(folder: Path, text: str) -> dict[str, Any]:
    """Measure a run's finished models on all of another text.

    Nothing is written, and the run's own text need not be there.

    Args:
        folder: the run's folder.
        text: a text file or a folder of them.

    Returns:
        The entries of the report on the models and on their comparison.

    Raises:
        UserError: for a folder that is no run, for a model in it that is damaged, and for a text
            that cannot be read.
    """
    require_run(folder)
    recipe = recipe_of_run(folder)
    models, (accelerator, _) = RunModels(recipe, folder), open_device(recipe)
    loaded, _ = _load(models)
    return _scores(models, loaded, load_documents(text), accelerator)


def _load(models: RunModels) -> tuple[dict[str, nn.Module], PreTrainedTokenizerFast]:
    """The finished models by name, and the tokenizer of the learners."""
    loaded = {name: load_model(folder) for name, folder in models.finished.items()}
    return loaded, load_tokenizer(models.tokenizer)


def _scores(
    models: RunModels,
    loaded: dict[str, nn.Module],
    documents: list[Document],
    accelerator: Accelerator,
) -> dict[str, Any]:
    """The report's entries on each model and on the comparison with the student."""
    comparable = not models.recipe.student.cross_tokenizer
    if comparable:
        test = models.blocks(documents, load_tokenizer(models.tokenizer))
        sums = score_models(loaded, "teacher", test, accelerator)
    else:
        test, sums = _sums_of_pairs(models, loaded, documents, accelerator)
    # Two tokenizers give no comparable token distributions, so no KL and no agreement.
    alone = {"teacher"} if comparable else set(loaded)
    training = read_state(models.folder)["training"]
    entries = {
        name: summarise_scores(sums[name], test.bytes, is_teacher=name in alone)
        | _weight(loaded[name], folder)
        | training.get(name, {})
        | (_surplus(models, documents) if name == "teacher" else {})
        for name, folder in models.finished.items()
    }
    return entries | _comparisons(sums)


def _weight(model: nn.Module, folder: Path) -> dict[str, int]:
    """Size in parameters and in bytes on disk."""
    return {
        "parameters": parameter_count(model),
        "bytes_on_disk": sum(file.stat().st_size for file in folder.glob("*.safetensors")),
    }


def _sums_of_pairs(
    models: RunModels,
    loaded: dict[str, nn.Module],
    documents: list[Document],
    accelerator: Accelerator,
) -> tuple[Blocks, dict[str, BlockSums]]:
    """Sums of models with two tokenizers, over pairs of blocks with the same text.

    The teacher's nats are counted per token of the student's tokenizer, which makes the
    cross-entropies comparable; no other quantity is.
    """
    pairs = models.pairs(documents)
    learners = {name: model for name, model in loaded.items() if name != "teacher"}
    sums = score_models(learners, "student", pairs.student, accelerator)
    teacher_alone = {"teacher": loaded["teacher"]}
    teacher = score_models(teacher_alone, "teacher", pairs.teacher, accelerator)["teacher"]
    return pairs.student, {"teacher": teacher._replace(tokens=sums["student"].tokens)} | sums


def _surplus(models: RunModels, documents: list[Document]) -> dict[str, float]:
    """The output slots beyond the tokenizer that were cut off when the teacher was loaded."""
    tokenizer = load_tokenizer(models.teacher)
    if stored_slots(models.teacher) == token_slots(tokenizer):
        return {}
    test = models.blocks(documents, tokenizer)
    whole = load_whole_model(models.teacher)
    return {
        "surplus_slots": surplus_slots(whole, tokenizer),
        "surplus_mass": surplus_mass(whole, tokenizer, test.ids[:1]),
    }


def _comparisons(sums: dict[str, BlockSums]) -> dict[str, Any]:
    """The student's advantage over each control, and the gap closed, if there is one."""
    controls = [name for name in CONTROLS if name in sums]
    advantages = {name: advantage(sums["student"], sums[name]) for name in controls}
    gap = None
    if "control_equal_steps" in sums:
        gap = gap_closed(sums["teacher"], sums["student"], sums["control_equal_steps"])
    return {"advantage": advantages} | ({} if gap is None else {"gap_closed": gap})


def _data_facts(context: RunContext, tokenizer: PreTrainedTokenizerFast) -> dict[str, Any]:
    """Name of the text and size of each split."""
    splits = {
        "training": context.text.splits.training,
        "student_training": context.text.seen,
        "validation": context.text.splits.validation,
        "test": context.text.test,
    }
    facts: dict[str, Any] = {"text": context.recipe.data.text}
    for name, documents in splits.items():
        blocks = context.models.blocks(documents, tokenizer)
        facts[name] = {
            "documents": len(documents),
            "bytes": blocks.bytes,
            "tokens": blocks.predicted_tokens,
        }
    return facts


def write_provenance(context: RunContext) -> None:
    """Write ``provenance.json`` and the log beside a trained teacher.

    Args:
        context: the run, whose teacher is finished. Recipe, text, numbers, versions and the
            checksums of weights and text are recorded.
    """
    folder, teacher = context.folder, context.models.teacher
    rows = [row for row in Metrics(folder).rows() if row["phase"] == "teacher"]
    weights = (teacher / "model.safetensors").read_bytes()
    documents = context.text.splits.training
    text = "".join(document.text for document in documents)
    provenance = {
        "made_by": f"kdlib distill {read_state(folder)['name']}",
        "sha256": hashlib.sha256(weights).hexdigest(),
        "parameters": parameter_count(load_model(teacher)),
        "validation_nats_per_token": rows[-1]["validation"],
        "seconds": read_state(folder)["seconds"],
        "training_documents": len(documents),
        "training_text_sha256": hashlib.sha256(text.encode()).hexdigest(),
        "machine": describe_machine(context.accelerator, context.precision),
        "versions": library_versions(),
        "recipe": dataclasses.asdict(context.recipe),
    }
    write_atomically(teacher / "provenance.json", json.dumps(provenance, indent=2) + "\n")
    log = "".join(json.dumps(row) + "\n" for row in rows)
    write_atomically(teacher / "metrics.jsonl", log)
