"""A run's finished models, measured side by side: the content of its report."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import time
from pathlib import Path

import torch
from torch import nn

from kdlib import evaluate, machine, models, runs
from kdlib.job import CONTROLS, Job
from kdlib.report import FORMAT

PROMPT_TOKENS, NEW_TOKENS, SAMPLES = 24, 48, 3


def measure(job: Job) -> dict:
    """Load every finished model from its folder, so that what is measured is what was saved."""
    started = time.perf_counter()
    folders = job.model_folders
    loaded = {name: models.load_model(folder) for name, folder in folders.items()}
    tokenizer = models.load_tokenizer(folders["teacher"])
    test = job.blocks(job.test, tokenizer)
    sums = evaluate.score(loaded, "teacher", test, job.accelerator)
    samples = _samples(job, loaded, tokenizer)
    state = runs.record_seconds(job.folder, "evaluation", time.perf_counter() - started)
    return {
        "format": FORMAT,
        "name": state["name"],
        "recipe": dataclasses.asdict(job.recipe),
        "seed": job.recipe.seed,
        "versions": machine.versions(),
        "machine": machine.describe(job.accelerator, job.precision),
        "data": _data_facts(job, tokenizer),
        **{
            name: evaluate.summarise(sums[name], test.bytes, is_teacher=name == "teacher")
            | _weight(loaded[name], folder)
            | state["training"].get(name, {})
            for name, folder in folders.items()
        },
        **_comparisons(sums),
        "seconds": state["seconds"] | {"total": sum(state["seconds"].values())},
        "peak_memory_bytes": machine.peak_memory_bytes(),
        "samples": samples,
    }


def write_provenance(job: Job) -> None:
    """Put beside a trained teacher what it was made of: recipe, text, numbers, hash and log."""
    rows = [row for row in runs.Metrics(job.folder).rows() if row["phase"] == "teacher"]
    weights = (job.teacher_folder / "model.safetensors").read_bytes()
    text = "".join(document.text for document in job.documents.training)
    provenance = {
        "made_by": f"kdlib distill {runs.read_state(job.folder)['name']}",
        "sha256": hashlib.sha256(weights).hexdigest(),
        "parameters": models.parameter_count(models.load_model(job.teacher_folder)),
        "validation_nats_per_token": rows[-1]["validation"],
        "seconds": runs.read_state(job.folder)["seconds"],
        "training_documents": len(job.documents.training),
        "training_text_sha256": hashlib.sha256(text.encode()).hexdigest(),
        "machine": machine.describe(job.accelerator, job.precision),
        "versions": machine.versions(),
        "recipe": dataclasses.asdict(job.recipe),
    }
    runs.write_atomically(
        job.teacher_folder / "provenance.json", json.dumps(provenance, indent=2) + "\n"
    )
    log = "".join(json.dumps(row) + "\n" for row in rows)
    runs.write_atomically(job.teacher_folder / "metrics.jsonl", log)


def _weight(model: nn.Module, folder: Path) -> dict[str, int]:
    return {
        "parameters": models.parameter_count(model),
        "bytes_on_disk": sum(file.stat().st_size for file in folder.glob("*.safetensors")),
    }


def _comparisons(sums: dict[str, evaluate.BlockSums]) -> dict:
    controls = [name for name in CONTROLS if name in sums]
    advantages = {name: evaluate.advantage(sums["student"], sums[name]) for name in controls}
    gap = None
    if "control_equal_steps" in sums:
        gap = evaluate.gap_closed(sums["teacher"], sums["student"], sums["control_equal_steps"])
    return {"advantage": advantages} | ({} if gap is None else {"gap_closed": gap})


def _data_facts(job: Job, tokenizer) -> dict:
    splits = {
        "training": job.documents.training,
        "student_training": job.seen,
        "validation": job.documents.validation,
        "test": job.test,
    }
    facts: dict = {"text": job.recipe.data.text}
    for name, documents in splits.items():
        blocks = job.blocks(documents, tokenizer)
        facts[name] = {
            "documents": len(documents),
            "bytes": blocks.bytes,
            "tokens": blocks.predicted_tokens,
        }
    return facts


def _samples(job: Job, loaded: dict[str, nn.Module], tokenizer) -> list[dict[str, str]]:
    """How each model goes on from the openings of test documents, with the same randomness."""
    samples = []
    for document in job.documents.test[-SAMPLES:]:
        opening = tokenizer(document.text, return_tensors="pt").input_ids[:, :PROMPT_TOKENS]
        texts = {
            name: generate(model, tokenizer, opening, NEW_TOKENS, job.recipe.seed)
            for name, model in loaded.items()
        }
        samples.append({"prompt": tokenizer.decode(opening[0])} | texts)
    return samples


def continuations(job: Job, prompt: str, tokens: int) -> dict[str, str]:
    """How each of a run's models goes on from the prompt."""
    tokenizer = models.load_tokenizer(job.teacher_folder)
    ids = tokenizer(prompt, return_tensors="pt").input_ids
    return {
        name: generate(models.load_model(folder), tokenizer, ids, tokens, job.recipe.seed)
        for name, folder in job.model_folders.items()
    }


def generate(model: nn.Module, tokenizer, prompt: torch.Tensor, new_tokens: int, seed: int) -> str:
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
    return tokenizer.decode(out[0, prompt.shape[1] :], skip_special_tokens=True)
