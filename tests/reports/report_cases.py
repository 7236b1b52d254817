"""A plausible report with all its parts, and what can be left out of it."""

import copy
import math

from kdlib.reports.fields import CONTROLS, LEARNERS, MODELS


def model(cross_entropy, name):
    """One model's part of a report."""
    bins = [None if number == 0 else (number + 0.5) / 15 for number in range(15)]
    entry = {
        "cross_entropy": cross_entropy,
        "perplexity": math.exp(cross_entropy),
        "bits_per_byte": cross_entropy / math.log(2) / 3.9,
        "parameters": 5_243_000 if name == "teacher" else 853_000,
        "bytes_on_disk": 10_490_000 if name == "teacher" else 1_710_000,
        "tokens_per_second": 9_312.4 if name == "teacher" else 31_250.7,
        "ece": 0.0213,
        "training_tokens": 1_024_000,
        "calibration": {
            "confidence": bins,
            "accuracy": [b and 0.93 * b + 0.01 for b in bins],
            "share": [b and math.exp(-4 * b) / 3.4 for b in bins],
        },
    }
    if name != "teacher":
        entry |= {
            "forward_kl": 0.062,
            "reverse_kl": 0.058,
            "top1_agreement": 0.83,
            "top5_agreement": 0.86,
            "steps": 500,
        }
    return entry


def whole_report():
    """A plausible report with all its parts: the student ahead of both controls."""
    losses = dict(zip(MODELS, (3.642, 3.785, 4.026, 3.941), strict=True))
    models = {name: model(loss, name) for name, loss in losses.items()}
    models["teacher"] |= {"surplus_slots": 64, "surplus_mass": 1.2e-6}
    return {
        "format": "kdlib-report-1",
        "name": "pocket",
        "recipe": {"name": "pocket", "out": None, "student": {"layers": 4, "width": 128}, "training": {"learning_rate": 0.003}},
        "seed": 0,
        "versions": {"kdlib": "0.1.0", "python": "3.11.7", "torch": "2.13.0", "transformers": "5.1.0", "accelerate": "1.12.0"},
        "machine": {"device": "cpu", "processor": "AMD EPYC 7B13", "threads": 2, "precision": "fp32"},
        "data": {
            "text": "sotu",
            "training": {"documents": 198, "bytes": 10_412_033, "tokens": 2_671_020},
            "student_training": {"documents": 20, "bytes": 1_040_112, "tokens": 266_931},
            "validation": {"documents": 12, "bytes": 611_200, "tokens": 156_800},
            "test": {"documents": 14, "bytes": 702_118, "tokens": 180_010},
        },
        **models,
        "targets": {"bytes_per_token": 35.2, "readings_saved": 9600},
        "gap_closed": {"value": 0.6276, "low": 0.604, "high": 0.651},
        "advantage": {
            "control_equal_steps": {"value": 0.241, "low": 0.229, "high": 0.253},
            "control_equal_time": {"value": 0.156, "low": 0.145, "high": 0.168},
        },
        "seconds": {
            "tokenizer": 3.1, "teacher": 0.4, "teacher_pass": 24.8, "student": 96.0, "control_equal_steps": 71.2,
            "control_equal_time": 96.1, "evaluation": 21.4, "total": 313.0,
        },
        "peak_memory_bytes": 1_412_000_000,
        "samples": [
            {
                "prompt": "The state of the Union depends upon",
                **{name: " the faithful execution of the laws, and the Congress will, I trust," for name in MODELS},
            }
        ],
    }  # fmt: skip


def training_log():
    return [
        {
            "phase": phase, "step": step, "loss": 2.0, "cross_entropy": 3.7 + 4 / (1 + step / 40), "learning_rate": 0.003,
            "tokens_per_second": 2e4, **({"validation": 3.8 + 4 / (1 + step / 40)} if step % 100 == 0 else {}),
        }
        for phase in LEARNERS
        for step in range(10, 501, 10)
    ]  # fmt: skip


def without(report, *parts):
    report = copy.deepcopy(report)
    for part in parts:
        report.pop(part)
        for others in (report["advantage"], report["seconds"]):
            others.pop(part, None)
        report["samples"] = [
            {k: v for k, v in sample.items() if k != part} for sample in report["samples"]
        ]
    return report


def without_controls():
    return without(whole_report(), *CONTROLS, "gap_closed")
