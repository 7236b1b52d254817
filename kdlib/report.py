"""A run's result: `report.json` for programs, `report.html` for people, a table for the terminal.

`FIELDS` is the one place that says what a report holds. It documents every number with its unit,
fixes the order of the keys, says which must be there, and becomes the glossary of the page.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

from kdlib import plots
from kdlib.runs import write_atomically

FORMAT = "kdlib-report-1"
CONTROLS = ("control_equal_steps", "control_equal_time")
LEARNERS = ("student", *CONTROLS)
MODELS = ("teacher", *LEARNERS)
SPLITS = ("training", "student_training", "validation", "test")
GROUPS = {"MODEL": MODELS, "LEARNER": LEARNERS, "CONTROL": CONTROLS, "SPLIT": SPLITS}
# Whole parts only: a part that is there must be complete.
MAY_BE_ABSENT = {*CONTROLS, "gap_closed"}
# What compares two distributions over the same tokens, slot by slot.
NEED_ONE_TOKENIZER = {"forward_kl", "reverse_kl", "top1_agreement", "top5_agreement"}


class Field(NamedTuple):
    unit: str
    meaning: str
    optional: bool = False


# MODEL, LEARNER, CONTROL and SPLIT stand for each name of their group, * for whatever follows.
# fmt: off
FIELDS = {
    "format": Field("text", "version of this file's layout"),
    "name": Field("text", "the recipe's name"),
    "recipe.*": Field("as in the recipe", "what was asked for; `kdlib distill --help` explains each field"),
    "seed": Field("integer", "the seed from which all randomness of the run follows"),
    "versions.*": Field("text", "software that made the run"),
    "machine.device": Field("text", "where the models ran: cpu, cuda or mps"),
    "machine.processor": Field("text", "the processor's or GPU's name"),
    "machine.threads": Field("threads", "processor threads used"),
    "machine.precision": Field("text", "number format of the matrix products"),
    "data.text": Field("text", "the text's name"),
    "data.SPLIT.documents": Field("documents", "number of documents in the split"),
    "data.SPLIT.bytes": Field("bytes", "size of the split as UTF-8 text"),
    "data.SPLIT.tokens": Field("tokens", "size of the split after tokenisation"),
    "MODEL.cross_entropy": Field("nats per token", "mean of -ln Q(next token) on the test documents; lower is better"),
    "MODEL.perplexity": Field("tokens", "exp(cross_entropy): as unsure as a fair choice among so many tokens"),
    "MODEL.bits_per_byte": Field("bits per byte", "cross-entropy per byte of text: comparable across tokenizers"),
    "LEARNER.forward_kl": Field("nats per token", "KL(teacher || model): punishes missing what the teacher finds likely"),
    "LEARNER.reverse_kl": Field("nats per token", "KL(model || teacher): punishes likely tokens that the teacher rejects"),
    "LEARNER.top1_agreement": Field("share", "how often the model's likeliest token is the teacher's"),
    "LEARNER.top5_agreement": Field("share", "mean share of the teacher's five likeliest tokens among the model's five"),
    "MODEL.ece": Field("share", "expected calibration error: mean distance of confidence and accuracy over 15 bins"),
    "MODEL.calibration.confidence": Field("share", "mean probability of the likeliest token in each bin"),
    "MODEL.calibration.accuracy": Field("share", "how often that token was right in each bin"),
    "MODEL.calibration.share": Field("share", "share of all predictions in each bin"),
    "MODEL.parameters": Field("parameters", "distinct trainable numbers; a tied matrix counts once"),
    "MODEL.bytes_on_disk": Field("bytes", "size of the saved weights"),
    "MODEL.tokens_per_second": Field("tokens per second", "speed of the forward pass during the evaluation"),
    "MODEL.steps": Field("steps", "optimiser steps taken; absent for a teacher that came ready-made", True),
    "MODEL.training_tokens": Field("tokens", "tokens trained on, repeats counted, where known", True),
    "teacher.surplus_slots": Field("slots", "output slots beyond the tokenizer, cut off before use", True),
    "teacher.surplus_mass": Field("share", "probability that the teacher gave to them on a block of the test", True),
    "gap_closed.value": Field("share", "(control - student) / (control - teacher) in cross-entropy, equal-steps control"),
    "gap_closed.low": Field("share", "lower end of its 95 % bootstrap interval over test blocks"),
    "gap_closed.high": Field("share", "upper end of that interval"),
    "advantage.CONTROL.value": Field("nats per token", "the control's cross-entropy minus the student's; positive is good"),
    "advantage.CONTROL.low": Field("nats per token", "lower end of its 95 % bootstrap interval over test blocks"),
    "advantage.CONTROL.high": Field("nats per token", "upper end of that interval"),
    "targets.bytes_per_token": Field("bytes per token", "size on disk of the teacher's sparse targets", True),
    "targets.readings_saved": Field("blocks", "readings of a block by the teacher that the cache spared", True),
    "seconds.tokenizer": Field("seconds", "training the tokenizer and cutting the text into blocks", True),
    "seconds.teacher": Field("seconds", "training or loading the teacher", True),
    "seconds.teacher_pass": Field("seconds", "the teacher's forward passes made ahead of the student's training", True),
    "seconds.student": Field("seconds", "training the student", True),
    "seconds.control_equal_steps": Field("seconds", "training the control of as many steps as the student", True),
    "seconds.control_equal_time": Field("seconds", "training the control of as much time as the student", True),
    "seconds.evaluation": Field("seconds", "measuring everything above", True),
    "seconds.total": Field("seconds", "the whole run"),
    "peak_memory_bytes": Field("bytes", "most memory that the process held at one time"),
    "samples.prompt": Field("text", "the start of a test document", True),
    "samples.MODEL": Field("text", "how the model goes on from the prompt", True),
}
# fmt: on


# ---------------------------------------------------------------- what a report must be


def _paths() -> dict[str, str]:
    """Each documented path with the names of its group filled in -> its key in FIELDS."""
    paths = {}
    for key in FIELDS:
        group = next((part for part in key.split(".") if part in GROUPS), "")
        for name in GROUPS.get(group, [""]):
            paths[key.replace(group, name) if group else key] = key
    return paths


PATHS = _paths()


def field_of(path: str) -> str | None:
    """The key of FIELDS that documents the dotted `path`, or None."""
    whole_part = path.split(".")[0] + ".*"
    return whole_part if whole_part in FIELDS else PATHS.get(path)


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, object]]:
    """Every leaf with its dotted path; items of a list share the list's path."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from leaves(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for item in value:
            yield from leaves(item, path)
    else:
        yield path, value


def validate(report: dict[str, Any]) -> None:
    """Raise ValueError, naming the key, for a missing, unknown or non-finite number."""
    if report.get("format") != FORMAT:
        raise ValueError(f"format: {report.get('format')!r} is not {FORMAT!r}")
    present = {f"{part}.*" for part in report}
    for path, value in leaves(report):
        present.add(path)
        if isinstance(value, int | float) and not isinstance(value, bool):
            if not math.isfinite(value):
                raise ValueError(f"{path}: {value} is not finite, so the report was not written")
            if field_of(path) is None:
                raise ValueError(
                    f"{path}: this number is not documented; add it to FIELDS in {__name__}"
                )
        elif value is None and ".calibration." not in path and not path.startswith("recipe."):
            raise ValueError(f"{path}: null stands for an empty bin only; leave the key out")
        elif not isinstance(value, str | bool | None):
            raise ValueError(f"{path}: {type(value).__name__} is not a text or a number")
    missing = [path for path in _required(report) if path not in present]
    if missing:
        raise ValueError(f"report: {', '.join(missing)} missing")


def _required(report: dict[str, Any]) -> Iterator[str]:
    absent = {part for part in MAY_BE_ABSENT if part not in report}
    if report["recipe"].get("student", {}).get("cross_tokenizer"):
        absent |= NEED_ONE_TOKENIZER
    for path, key in PATHS.items():
        if not FIELDS[key].optional and absent.isdisjoint(path.split(".")):
            yield path


def in_order(value: Any, path: str = "") -> Any:
    """The same report with its keys in the order of FIELDS; the recipe's stay as they are."""
    if isinstance(value, list):
        return [in_order(item, path) for item in value]
    if not isinstance(value, dict):
        return value
    keys = sorted(value, key=lambda key: _place(path + key))  # stable: equals keep their order
    return {key: in_order(value[key], f"{path}{key}.") for key in keys}


def _place(path: str) -> int:
    """Where FIELDS first speaks of `path` or of something below it."""
    below = (place for place, known in enumerate(PATHS) if f"{known}.".startswith(f"{path}."))
    return next(below, len(PATHS))


# ---------------------------------------------------------------- what it says


def verdict(report: dict[str, Any]) -> list[str]:
    """One to three sentences, the headline first, drawn from the intervals and not from the hope."""
    student, teacher = report["student"]["cross_entropy"], report["teacher"]["cross_entropy"]
    against = [_against(name, report["advantage"][name]) for name in CONTROLS if name in report]
    if not against:
        return [
            f"The student reaches {student:.3f} nats per token, its teacher {teacher:.3f}.",
            "This run has no control, so it cannot say what the teacher's help was worth.",
        ]
    if "control_equal_steps" not in report:
        return against
    return [_gap_sentence(report), *against]


def _gap_sentence(report: dict[str, Any]) -> str:
    teacher, control = (
        report[name]["cross_entropy"] for name in ("teacher", "control_equal_steps")
    )
    the_gap = "the gap from the equal-steps control to the teacher"
    advantage, gap = report["advantage"]["control_equal_steps"], report.get("gap_closed")
    if teacher >= control:
        return (
            f"The teacher ({teacher:.3f} nats per token) is no better than the equal-steps control"
            f" ({control:.3f}), so there is no gap to close."
        )
    if advantage["high"] < 0:
        return f"Distillation closes nothing of {the_gap}: it did harm."
    if advantage["low"] <= 0 or (gap and gap["low"] <= 0):
        return f"This run does not show that distillation closes any of {the_gap}."
    if gap is None:
        return "Distillation gives a better model than the same training without a teacher."
    return (
        f"Distillation closes {percent(gap['value'])} (95 % interval {100 * gap['low']:.0f} to"
        f" {percent(gap['high'])}) of {the_gap}."
    )


def _against(name: str, advantage: dict[str, Any]) -> str:
    rival = "equal-steps control" if name == "control_equal_steps" else "equal-time control"
    value, low, high = (advantage[key] for key in ("value", "low", "high"))
    if low <= 0 <= high:
        return (
            f"The student and the {rival} cannot be told apart: the 95 % interval of the"
            f" difference, {low:.3f} to {high:.3f} nats per token, includes 0."
        )
    side = "ahead of" if low > 0 else "behind"
    near, far = sorted((abs(low), abs(high)))
    return (
        f"The student is {side} the {rival} by {abs(value):.3f} nats per token"
        f" (95 % interval {near:.3f} to {far:.3f})."
    )


# ---------------------------------------------------------------- numbers as people read them


def percent(share: float, digits: int = 0) -> str:
    return f"{100 * share:.{digits}f} %"


def short(number: float) -> str:
    """Three significant digits: 999, 12.4 k, 5.24 M."""
    for unit in ("", " k", " M", " G", " T"):
        if number < 999.5:
            return f"{number:.3g}{unit}"
        number /= 1000
    return f"{number:.0f} P"


def size(number: float) -> str:
    return f"{short(number)}B" if number >= 999.5 else f"{number:.0f} B"


def duration(seconds: float) -> str:
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 1:
        return f"{rest} s"
    if minutes < 60:
        return f"{minutes} min {rest:02} s"
    return f"{minutes // 60} h {minutes % 60:02} min"


def number(digits: int) -> Callable[[float], str]:
    return lambda value: f"{value:.{digits}f}"


ROWS = (  # key, label, unit, better direction, how to write it
    ("cross_entropy", "cross-entropy", "nats/token", "lower", number(3)),
    ("perplexity", "perplexity", "", "lower", number(1)),
    ("bits_per_byte", "bits per byte", "", "lower", number(3)),
    ("forward_kl", "forward KL", "nats/token", "lower", number(3)),
    ("reverse_kl", "reverse KL", "nats/token", "lower", number(3)),
    ("top1_agreement", "top-1 agreement", "", "higher", lambda share: percent(share, 1)),
    ("top5_agreement", "top-5 agreement", "", "higher", lambda share: percent(share, 1)),
    ("ece", "calibration error", "", "lower", number(3)),
    ("parameters", "parameters", "", "lower", short),
    ("bytes_on_disk", "size on disk", "", "lower", size),
    ("tokens_per_second", "speed", "tokens/s", "higher", short),
    ("training_tokens", "trained on", "tokens", "", short),
)


def table(report: dict[str, Any], absent: str = "") -> tuple[list[str], list[list[str]]]:
    """The models that the report has, and for each row of ROWS their values as text."""
    names = [name for name in MODELS if name in report]
    rows = [
        [write(report[name][key]) if key in report[name] else absent for name in names]
        for key, *_, write in ROWS
    ]
    return names, rows


def terminal_table(report: dict[str, Any]) -> str:
    """The models side by side, then the verdict, in plain text; the table takes 80 columns."""
    names, rows = table(report, absent="-")
    heads = [plots.LOOKS[name].label.partition(", ") for name in names]
    labels = [f"{label}, {unit}" if unit else label for _, label, unit, *_ in ROWS]
    lines = [["", *(head for head, _, _ in heads)], ["", *(rest for _, _, rest in heads)]]
    lines += [[label, *row] for label, row in zip(labels, rows, strict=True)]
    return "\n".join([align(lines), "", *verdict(report)])


def align(lines: list[list[str]]) -> str:
    """Cells as a table in plain text: labels to the left, values to the right; no empty lines."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    text = []
    for label, *values in lines:
        cells = [value.rjust(width) for value, width in zip(values, widths[1:], strict=True)]
        text.append("  ".join([label.ljust(widths[0]), *cells]).rstrip())
    return "\n".join(filter(None, text))


# ---------------------------------------------------------------- files


def write_report(report: dict[str, Any], metrics: list[dict[str, Any]], folder: Path) -> None:
    """Write `report.json` and `report.html` into `folder`.

    metrics: the rows of `metrics.jsonl`, for the loss curves. Raises ValueError as `validate` does,
    before anything is written.
    """
    validate(report)
    page = render_html(report, metrics)
    text = json.dumps(in_order(report), indent=2, ensure_ascii=False, allow_nan=False)
    write_atomically(folder / "report.json", text + "\n")
    write_atomically(folder / "report.html", page)


def render_html(report: dict[str, Any], metrics: list[dict[str, Any]]) -> str:
    """One self-contained page: nothing to fetch, no script, every text of the run escaped."""
    from jinja2 import Environment, StrictUndefined

    jinja = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    jinja.filters |= {"short": short, "size": size, "duration": duration, "percent": percent}
    template = resources.files("kdlib").joinpath("report.html.j2").read_text("utf-8")
    names, rows = table(report)
    return jinja.from_string(template).render(
        report=in_order(report),
        names=names,
        looks=plots.LOOKS,
        verdict=verdict(report),
        gap=_gap(report),
        rows=list(zip(ROWS, rows, strict=True)),
        figures=_figures(report, names, metrics),
        splits=[name for name in SPLITS if name in report["data"]],
        recipe=list(leaves(report["recipe"])),
        fields=FIELDS,
    )


def _gap(report: dict[str, Any]) -> dict[str, Any] | None:
    """The closed share of the gap, where there is a gap."""
    control = report.get("control_equal_steps")
    is_one = control and report["teacher"]["cross_entropy"] < control["cross_entropy"]
    return report.get("gap_closed") if is_one else None


def _figures(
    report: dict[str, Any], names: list[str], metrics: list[dict[str, Any]]
) -> dict[str, str]:
    gap = _gap(report)
    figures = {
        "comparison": plots.cross_entropy_comparison(
            {name: report[name]["cross_entropy"] for name in names}, gap and gap["value"]
        ),
        "reliability": plots.reliability(
            {name: report[name]["calibration"] for name in names},
            {name: report[name]["ece"] for name in names},
        ),
    }
    if any(row["phase"] in names for row in metrics):
        figures["losses"] = plots.loss_curves(metrics)
    # What stands between the tags is matplotlib's own output; the template inserts it as it is.
    return {name: plots.svg(figure) for name, figure in figures.items()}
