"""A run's result: `report.json` for programs, `report.html` for people, a table for the terminal."""

from __future__ import annotations

import json
from itertools import zip_longest
from pathlib import Path
from typing import Any

from markupsafe import Markup

from kdlib import plots
from kdlib.files import write_atomically
from kdlib.reports.fields import FIELDS, MODELS, NGRAM, SPLITS, in_order, leaves, validate
from kdlib.reports.formatting import align, number, percent, short, size
from kdlib.reports.naming import named, of_records
from kdlib.reports.pages import figures
from kdlib.reports.pages.costs import cost_remarks
from kdlib.reports.pages.passage import Reading, legend, readings
from kdlib.reports.pages.templates import figure, render
from kdlib.reports.pages.tiles import WORDS, main_control, rough, tiles

ROWS = (  # key, label, unit, better direction, how to write it
    ("cross_entropy", "cross-entropy", "nats/token", "lower", number(3)),
    ("perplexity", "perplexity", "", "lower", number(1)),
    ("bits_per_byte", "bits per byte", "", "lower", number(3)),
    ("forward_kl", "forward KL", "nats/token", "lower", number(3)),
    ("reverse_kl", "reverse KL", "nats/token", "lower", number(3)),
    ("top1_agreement", "top-1 agreement", "", "higher", lambda share: percent(share, 1)),
    ("top5_agreement", "top-5 agreement", "", "higher", lambda share: percent(share, 1)),
    ("ece", "calibration error", "", "lower", number(3)),
    ("ece_floor", "by chance alone", "", "", number(3)),
    ("parameters", "parameters", "", "lower", short),
    ("bytes_on_disk", "size on disk", "", "lower", size),
    ("tokens_per_second", "speed", "tokens/s", "higher", rough),
    ("training_tokens", "trained on", "tokens", "", short),
)
# Where the learners have adapters, these follow their parameters.
OF_ADAPTERS = (
    ("trainable_parameters", "trained (LoRA)", "", "lower", short),
    ("training_bytes", "memory in training", "", "lower", size),
)


def rows_of(report: dict[str, Any]) -> list[tuple[Any, ...]]:
    """The rows of this report's table, each as in `ROWS`."""
    place = 1 + [key for key, *_ in ROWS].index("parameters")
    extra = OF_ADAPTERS if "trainable_parameters" in report["student"] else ()
    return [*ROWS[:place], *extra, *ROWS[place:]]


def table(report: dict[str, Any], absent: str = "") -> tuple[list[str], list[list[str]]]:
    """The numbers of a report as text.

    Args:
        report: a run's report.
        absent: written for a number that a model does not have.

    Returns:
        The names of the models in the report, and for each row of `rows_of` their values.
    """
    names = [name for name in (*MODELS, NGRAM) if name in report]
    rows = [
        [write(report[name][key]) if key in report[name] else absent for name in names]
        for key, *_, write in rows_of(report)
    ]
    return names, rows


def terminal_table(report: dict[str, Any]) -> str:
    """The models side by side, then the verdict, as plain text.

    The table of an ordinary run fits into 85 columns, with every rival that there can be into 104.
    """
    names, rows = table(report, absent="-")
    heads = [named(report, plots.LOOKS[name].label).replace(",", "").split() for name in names]
    labels = [f"{label}, {unit}" if unit else label for _, label, unit, *_ in rows_of(report)]
    lines = [["", *words] for words in zip_longest(*heads, fillvalue="")]
    lines += [[label, *row] for label, row in zip(labels, rows, strict=True)]
    return "\n".join([align(lines), "", *report["verdict"]["sentences"]])


def write_report(report: dict[str, Any], metrics: list[dict[str, Any]], folder: Path) -> None:
    """Write ``report.json`` and ``report.html``.

    Args:
        report: a complete report.
        metrics: the rows of ``metrics.jsonl``, for the loss curves.
        folder: the run's folder.

    Raises:
        ValueError: as `validate` does, before anything is written.
    """
    validate(report)
    page = named(report, render_html(report, metrics))
    text = json.dumps(in_order(report), indent=2, ensure_ascii=False, allow_nan=False)
    write_atomically(folder / "report.json", text + "\n")
    write_atomically(folder / "report.html", page)


def render_html(report: dict[str, Any], metrics: list[dict[str, Any]]) -> str:
    """The report as one self-contained page: no external files, no script, all text escaped.

    Args:
        report: a complete report.
        metrics: the rows of ``metrics.jsonl``, for the loss curves.

    Returns:
        The HTML.
    """
    names, rows = table(report)
    sign, word = WORDS[report["verdict"]["worth"]]
    return render(
        "report",
        report=in_order(report),
        names=names,
        sign=sign,
        word=word,
        tiles=tiles(report),
        rows=list(zip(rows_of(report), rows, strict=True)),
        figures=_figures(report, metrics),
        remarks=cost_remarks(report),
        readings=_readings(report),
        heats=legend(),
        losers=figures.losers(report),
        has_closed=figures.gap_closed(report) is not None,
        splits=[name for name in SPLITS if name in report["data"]],
        recipe=list(leaves(report["recipe"])),
        machine=[*leaves(report["machine"]), *leaves(report["versions"])],
        fields=FIELDS,
        of_records=of_records(report),
    )


def _readings(report: dict[str, Any]) -> list[Reading]:
    """The passage as teacher, student and the main control read it; none without a passage."""
    names = [name for name in ("teacher", "student", main_control(report)) if name]
    return readings(report["passage"], names) if "passage" in report else []


def _figures(report: dict[str, Any], metrics: list[dict[str, Any]]) -> dict[str, list[Markup]]:
    """Name -> markup of the figures that stand together."""
    pictures = {
        "comparison": [figures.comparison(report)],
        "curves": figures.curves(report, metrics),
        "lost": figures.lost(report) if "where_lost" in report else [],
        "reliability": [figures.reliability(report)],
    }
    return {name: [*map(figure, group)] for name, group in pictures.items()}
