"""A run's result: `report.json` for programs, `report.html` for people, a table for the terminal."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import Any

from kdlib import plots
from kdlib.files import write_atomically
from kdlib.reports.fields import FIELDS, MODELS, SPLITS, in_order, leaves, validate
from kdlib.reports.formatting import align, duration, number, percent, short, size
from kdlib.reports.verdict import verdict

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
    """The numbers of a report as text.

    Args:
        report: a run's report.
        absent: written for a number that a model does not have.

    Returns:
        The names of the models in the report, and for each row of `ROWS` their values.
    """
    names = [name for name in MODELS if name in report]
    rows = [
        [write(report[name][key]) if key in report[name] else absent for name in names]
        for key, *_, write in ROWS
    ]
    return names, rows


def terminal_table(report: dict[str, Any]) -> str:
    """The models side by side, then the verdict, as plain text. The table is 80 columns wide."""
    names, rows = table(report, absent="-")
    heads = [plots.LOOKS[name].label.partition(", ") for name in names]
    labels = [f"{label}, {unit}" if unit else label for _, label, unit, *_ in ROWS]
    lines = [["", *(head for head, _, _ in heads)], ["", *(rest for _, _, rest in heads)]]
    lines += [[label, *row] for label, row in zip(labels, rows, strict=True)]
    return "\n".join([align(lines), "", *verdict(report)])


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
    page = render_html(report, metrics)
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
    from jinja2 import Environment, StrictUndefined

    jinja = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    jinja.filters |= {"short": short, "size": size, "duration": duration, "percent": percent}
    template = resources.files("kdlib.reports").joinpath("report.html.j2").read_text("utf-8")
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
    """The share of the gap that is closed, if there is a gap."""
    control = report.get("control_equal_steps")
    is_one = control and report["teacher"]["cross_entropy"] < control["cross_entropy"]
    return report.get("gap_closed") if is_one else None


def _figures(
    report: dict[str, Any], names: list[str], metrics: list[dict[str, Any]]
) -> dict[str, str]:
    """Name -> SVG markup of every figure of the page."""
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
    # The markup comes from matplotlib, so the template inserts it without escaping.
    return {name: plots.svg(figure) for name, figure in figures.items()}
