"""Train, store and examine the small models of the page "Three models".

    python chapters/three_models.py           two trainings, 3 minutes; writes website/students/
    python chapters/three_models.py --exam    examines again what is stored there

A build of the website only reads what stands there. One of the two models has learned from the teacher,
the other, with as many counted operations, from the text alone. The claim's own functions train them,
at the rates that were best there, so that its record says what must come out.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from website import models_files, small_students
from website.small_students import EXAM, MANIFEST, SEED, SMALL, STUDENTS, TIED

from kdlib.claims.grounds import pocket
from kdlib.claims.grounds.learning import learn
from kdlib.claims.papers import crossover
from kdlib.claims.record import shipped
from kdlib.files import write_atomically

DIGITS = 5


def train(name: str) -> dict[str, Any]:
    """Train one of `SMALL` and store it in bfloat16; returns what it is."""
    small, record = SMALL[name], shipped("crossover")
    assert record is not None
    rate, steps = record["rates"][small.arm], crossover._steps(*small)
    model = learn(pocket.new_student(SEED), crossover._lesson(*small, steps), rate, SEED)
    weights = {key: value.bfloat16() for key, value in model.state_dict().items() if key != TIED}
    path = STUDENTS / f"{name}.safetensors"
    save_file(weights, path)
    path.chmod(0o644)
    return {
        "claim": "crossover",
        "arm": small.arm,
        "words": crossover.CLAIM.arms[small.arm].words,
        "rate": rate,
        "seed": SEED,
        "steps": steps,
        "tokens": small.blocks * pocket.BLOCK,
        "parameters": sum(each.numel() for each in weights.values()),
        "loss": round(pocket.exam(small_students.load(name))["loss"], DIGITS),
    }


def examine(name: str) -> dict[str, float]:
    """The exam of a model as it is on the page, and what its rounding costs.

    Returns:
        its loss on the test text, its forward KL from the teacher as shipped, and that from the same
        model before it was rounded, in nats per token.
    """
    model = models_files.as_on_the_page(name)
    asked = pocket.teacher() if name == "teacher" else small_students.load(name)
    found = pocket.exam(model)
    rounding = pocket.exam(model, asked)["forward KL"]
    return {"loss": found["loss"], "forward KL": found["forward KL"], "rounding": rounding}


def _store(name: str, found: dict[str, Any]) -> None:
    write_atomically(STUDENTS / name, json.dumps(found, indent=1) + "\n")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="three_models.py",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--exam", action="store_true", help="train nothing")
    if not parser.parse_args(arguments).exam:
        Path(STUDENTS).mkdir(exist_ok=True)
        _store(MANIFEST, {name: train(name) for name in SMALL})
    exams = {name: examine(name) for name in models_files.NAMES}
    _store(EXAM, {name: {key: round(value, DIGITS) for key, value in found.items()}
                  for name, found in exams.items()})  # fmt: skip
    print((STUDENTS / EXAM).read_text("utf-8"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
