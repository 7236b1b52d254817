"""Where a trained teacher comes from: a record beside its weights."""

from __future__ import annotations

import dataclasses
import hashlib
import json

from kdlib.data.document import parts
from kdlib.files import write_atomically
from kdlib.jobs.context import RunContext
from kdlib.machine.devices import describe_machine, library_versions
from kdlib.models.folders import load_model
from kdlib.models.from_scratch import parameter_count
from kdlib.training.metrics import Metrics
from kdlib.training.run_state import read_state


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
    text = hashlib.sha256()
    for document in documents:
        for part in parts(document):
            text.update(part.encode())
    provenance = {
        "made_by": f"kdlib distill {read_state(folder)['name']}",
        "sha256": hashlib.sha256(weights).hexdigest(),
        "longest_text_read": context.recipe.data.block + 1,
        "parameters": parameter_count(load_model(teacher)),
        "validation_nats_per_token": rows[-1]["validation"],
        "seconds": read_state(folder)["seconds"],
        "training_documents": len(documents),
        "training_text_sha256": text.hexdigest(),
        "machine": describe_machine(context.accelerator, context.precision),
        "versions": library_versions(),
        "recipe": dataclasses.asdict(context.recipe),
    }
    write_atomically(teacher / "provenance.json", json.dumps(provenance, indent=2) + "\n")
    log = "".join(json.dumps(row) + "\n" for row in rows)
    write_atomically(teacher / "metrics.jsonl", log)
