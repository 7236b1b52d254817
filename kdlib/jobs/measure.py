"""A run's finished models, measured side by side: the content of its report."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from kdlib.data.blocks import Blocks
from kdlib.data.documents import Document
from kdlib.files import write_atomically
from kdlib.jobs.context import CONTROLS, Job
from kdlib.machine.devices import describe_machine, library_versions, peak_memory_bytes
from kdlib.models.folders import load_model, load_tokenizer, load_whole_model, stored_slots
from kdlib.models.from_scratch import parameter_count
from kdlib.models.vocabularies import surplus_mass, surplus_slots, token_slots
from kdlib.reports.fields import FORMAT
from kdlib.reports.intervals import advantage, gap_closed
from kdlib.reports.scores import BlockSums, score_models, summarise_scores
from kdlib.training.run_folder import Metrics, read_state, record_seconds

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

PROMPT_TOKENS, NEW_TOKENS, SAMPLES = 24, 48, 3


def measure(job: Job) -> dict[str, Any]:
    """Load every finished model from its folder, so that what is measured is what was saved."""
    started = time.perf_counter()
    loaded, tokenizer = _load(job)
    scores = _scores(job, loaded, tokenizer)
    samples = _samples(job, loaded, tokenizer)
    state = record_seconds(job.folder, "evaluation", time.perf_counter() - started)
    return {
        "format": FORMAT,
        "name": state["name"],
        "recipe": dataclasses.asdict(job.recipe),
        "seed": job.recipe.seed,
        "versions": library_versions(),
        "machine": describe_machine(job.accelerator, job.precision),
        "data": _data_facts(job, tokenizer),
        **scores,
        **({"targets": state["targets"]} if "targets" in state else {}),
        "seconds": state["seconds"] | {"total": sum(state["seconds"].values())},
        "peak_memory_bytes": peak_memory_bytes(),
        "samples": samples,
    }


def measure_on(job: Job, documents: list[Document]) -> dict[str, Any]:
    """How the finished models do on other documents: the report's entries of models and of their
    comparison. Nothing is written."""
    loaded, tokenizer = _load(job)
    return _scores(dataclasses.replace(job, test=documents), loaded, tokenizer)


def _load(job: Job) -> tuple[dict[str, nn.Module], PreTrainedTokenizerFast]:
    folders = job.model_folders
    loaded = {name: load_model(folder) for name, folder in folders.items()}
    return loaded, load_tokenizer(job.tokenizer_folder)


def _scores(
    job: Job, loaded: dict[str, nn.Module], tokenizer: PreTrainedTokenizerFast
) -> dict[str, Any]:
    """Each model's entry of the report, and how the student compares."""
    one_tokenizer = not job.recipe.student.cross_tokenizer
    if one_tokenizer:
        test = job.blocks(job.test, tokenizer)
        sums = score_models(loaded, "teacher", test, job.accelerator)
    else:
        test, sums = _sums_of_pairs(job, loaded)
    # Whom no distribution of a teacher's can be laid beside.
    alone = {"teacher"} if one_tokenizer else set(loaded)
    training = read_state(job.folder)["training"]
    entries = {
        name: summarise_scores(sums[name], test.bytes, is_teacher=name in alone)
        | _weight(loaded[name], folder)
        | training.get(name, {})
        | (_surplus(job) if name == "teacher" else {})
        for name, folder in job.model_folders.items()
    }
    return entries | _comparisons(sums)


def write_provenance(job: Job) -> None:
    """Put beside a trained teacher what it was made of: recipe, text, numbers, hash and log."""
    rows = [row for row in Metrics(job.folder).rows() if row["phase"] == "teacher"]
    weights = (job.teacher_folder / "model.safetensors").read_bytes()
    text = "".join(document.text for document in job.documents.training)
    provenance = {
        "made_by": f"kdlib distill {read_state(job.folder)['name']}",
        "sha256": hashlib.sha256(weights).hexdigest(),
        "parameters": parameter_count(load_model(job.teacher_folder)),
        "validation_nats_per_token": rows[-1]["validation"],
        "seconds": read_state(job.folder)["seconds"],
        "training_documents": len(job.documents.training),
        "training_text_sha256": hashlib.sha256(text.encode()).hexdigest(),
        "machine": describe_machine(job.accelerator, job.precision),
        "versions": library_versions(),
        "recipe": dataclasses.asdict(job.recipe),
    }
    write_atomically(
        job.teacher_folder / "provenance.json", json.dumps(provenance, indent=2) + "\n"
    )
    log = "".join(json.dumps(row) + "\n" for row in rows)
    write_atomically(job.teacher_folder / "metrics.jsonl", log)


def _weight(model: nn.Module, folder: Path) -> dict[str, int]:
    return {
        "parameters": parameter_count(model),
        "bytes_on_disk": sum(file.stat().st_size for file in folder.glob("*.safetensors")),
    }


def _sums_of_pairs(job: Job, loaded: dict[str, nn.Module]) -> tuple[Blocks, dict[str, BlockSums]]:
    """Of models with two tokenizers, row by row on the same text. The teacher's nats are counted
    per token of the student's, so that they are comparable; nothing else of the two is."""
    pairs = job.pairs(job.test)
    learners = {name: model for name, model in loaded.items() if name != "teacher"}
    sums = score_models(learners, "student", pairs.student, job.accelerator)
    only = {"teacher": loaded["teacher"]}
    teacher = score_models(only, "teacher", pairs.teacher, job.accelerator)["teacher"]
    return pairs.student, {"teacher": teacher._replace(tokens=sums["student"].tokens)} | sums


def _surplus(job: Job) -> dict[str, float]:
    """Of a stored teacher with more output slots than tokens: what was cut off in loading it."""
    tokenizer = load_tokenizer(job.teacher_folder)
    if stored_slots(job.teacher_folder) == token_slots(tokenizer):
        return {}
    test = job.blocks(job.test, tokenizer)
    whole = load_whole_model(job.teacher_folder)
    return {
        "surplus_slots": surplus_slots(whole, tokenizer),
        "surplus_mass": surplus_mass(whole, tokenizer, test.ids[:1]),
    }


def _comparisons(sums: dict[str, BlockSums]) -> dict[str, Any]:
    controls = [name for name in CONTROLS if name in sums]
    advantages = {name: advantage(sums["student"], sums[name]) for name in controls}
    gap = None
    if "control_equal_steps" in sums:
        gap = gap_closed(sums["teacher"], sums["student"], sums["control_equal_steps"])
    return {"advantage": advantages} | ({} if gap is None else {"gap_closed": gap})


def _data_facts(job: Job, tokenizer: PreTrainedTokenizerFast) -> dict[str, Any]:
    splits = {
        "training": job.documents.training,
        "student_training": job.seen,
        "validation": job.documents.validation,
        "test": job.test,
    }
    facts: dict[str, Any] = {"text": job.recipe.data.text}
    for name, documents in splits.items():
        blocks = job.blocks(documents, tokenizer)
        facts[name] = {
            "documents": len(documents),
            "bytes": blocks.bytes,
            "tokens": blocks.predicted_tokens,
        }
    return facts


def _samples(
    job: Job, loaded: dict[str, nn.Module], tokenizer: PreTrainedTokenizerFast
) -> list[dict[str, str]]:
    """How each model goes on from the openings of test documents, with the same randomness."""
    samples = []
    teachers = load_tokenizer(job.teacher_folder)
    for document in job.documents.test[-SAMPLES:]:
        opening = tokenizer(document.text, return_tensors="pt").input_ids[:, :PROMPT_TOKENS]
        prompt = str(tokenizer.decode(opening[0]))
        texts = {}
        for name, model in loaded.items():
            own, ids = tokenizer, opening
            if name == "teacher" and job.recipe.student.cross_tokenizer:
                own, ids = teachers, teachers(prompt, return_tensors="pt").input_ids
            texts[name] = generate(model, own, ids, NEW_TOKENS, job.recipe.seed)
        samples.append({"prompt": prompt} | texts)
    return samples


def continuations(job: Job, prompt: str, tokens: int) -> dict[str, str]:
    """How each of a run's models goes on from the prompt."""
    texts = {}
    for name, folder in job.model_folders.items():
        tokenizer = load_tokenizer(folder)
        ids = tokenizer(prompt, return_tensors="pt").input_ids
        model = load_model(folder)
        texts[name] = generate(model, tokenizer, ids, tokens, job.recipe.seed)
    return texts


def generate(
    model: Any, tokenizer: PreTrainedTokenizerFast, prompt: torch.Tensor, new_tokens: int, seed: int
) -> str:
    """Sample a continuation at temperature 0.8 from the 40 likeliest tokens. Same seed, same text."""
    torch.manual_seed(seed)
    prompt = prompt.to(model.device)
    out = model.generate(
        prompt,
        attention_mask=torch.ones_like(prompt),
        max_new_tokens=new_tokens,
        do_sample=True,
        temperature=0.8,
        top_k=40,
        pad_token_id=tokenizer.eos_token_id,
    )
    return str(tokenizer.decode(out[0, prompt.shape[1] :], skip_special_tokens=True))
