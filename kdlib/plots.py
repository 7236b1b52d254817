"""Every figure of the report and of the book: one function each, all in one style.

A figure function takes plain data and returns a `Figure` whose attribute `alt` says in words what
the picture shows. Nothing here touches pyplot, so drawing leaves no global state behind.
`svg(figure)` makes the markup for a web page.

The four models look the same in every figure, and differ in colour (Okabe & Ito 2008, safe for
colour-blind readers), in marker and in line. The background is transparent and the ink a grey that
reads on white and on black; inside a page `svg` replaces that grey by the page's own text colour.
"""

from __future__ import annotations

import contextlib
import functools
import html
import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

INK = "#767676"
WIDTH = 5.2  # inches: at this width 11-point text stays readable when a phone shrinks the figure


@dataclass(frozen=True)
class Look:
    """How a model is named and drawn, everywhere."""

    label: str
    color: str
    marker: str
    line: str | tuple


LOOKS = {
    "teacher": Look("teacher", INK, "D", (0, (1, 1.2))),
    "student": Look("student", "#0072b2", "o", "solid"),
    "control_equal_steps": Look("control, equal steps", "#d55e00", "s", (0, (5, 1.5))),
    "control_equal_time": Look("control, equal time", "#cc79a7", "^", (0, (5, 1.5, 1, 1.5))),
}

STYLE = {
    "font.size": 11,
    "legend.fontsize": 10,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.alpha": 0.15,
    "grid.linewidth": 0.8,
    "lines.linewidth": 1.8,
    "lines.markersize": 5,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "figure.constrained_layout.use": True,
    **dict.fromkeys(
        (
            "text.color",
            "axes.edgecolor",
            "axes.labelcolor",
            "xtick.color",
            "ytick.color",
            "grid.color",
        ),
        INK,
    ),
}


@contextlib.contextmanager
def _style(**more) -> Iterator[None]:
    """This file's settings and no one else's; the caller's come back afterwards."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(STYLE | more)
        yield


def styled(draw: Callable[..., Figure]) -> Callable[..., Figure]:
    """Decorator of figure functions: draw in the one style."""

    @functools.wraps(draw)
    def wrapped(*args, **kwargs) -> Figure:
        with _style():
            return draw(*args, **kwargs)

    return wrapped


def svg(figure: Figure) -> str:
    """The figure as an `<svg>` element to put into a page: described, byte-stable, self-contained."""
    # The salt makes the ids of clip paths and markers reproducible, and different in each figure.
    no_metadata = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    buffer = io.StringIO()
    with _style(**{"svg.fonttype": "none", "svg.hashsalt": figure.alt}):
        figure.savefig(buffer, format="svg", metadata=no_metadata)
    markup = buffer.getvalue()
    markup = markup[markup.index("<svg") :].replace(INK, "currentColor")
    # "axes_1" and the like are never referred to, and would stand twice in a page of two figures.
    markup = re.sub(r' id="[\w.]+_\d+"', "", markup)
    # Without a fixed size it fills the width that the page gives it.
    markup = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", markup, count=1)
    markup = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", markup, count=1)
    return markup.replace("<svg", f'<svg role="img" aria-label="{html.escape(figure.alt)}"', 1)


def smooth(values: list[float], memory: float = 0.6) -> list[float]:
    """Running mean with exponentially fading weights that always sum to 1: a constant stays itself."""
    total = weight = 0.0
    means = []
    for value in values:
        total, weight = memory * total + value, memory * weight + 1
        means.append(total / weight)
    return means


@styled
def loss_curves(metrics: list[dict]) -> Figure:
    """Cross-entropy over optimiser steps, one colour per phase.

    Bold with markers: validation. Faint: training, smoothed. Training shows the cross-entropy part
    of the loss, since a loss with a distillation part cannot be compared with one without.

    metrics: rows with phase, step, cross_entropy and, some of them, validation; other phases than
    the four models' are left out.
    """
    figure, axes = _one_axes(3.7)
    figure.alt = "Loss curves, cross-entropy in nats per token over optimiser steps."
    last_steps, first_validations = [], []
    for phase, look in LOOKS.items():
        rows = [row for row in metrics if row["phase"] == phase]
        if not rows:
            continue
        steps = [row["step"] for row in rows]
        training = smooth([row["cross_entropy"] for row in rows])
        checked = [row for row in rows if row.get("validation") is not None]
        validation = [row["validation"] for row in checked]
        faint = {"color": look.color, "alpha": 0.45, "linewidth": 1}
        axes.plot(steps, training, label=f"_{phase} training", **faint)
        axes.plot([row["step"] for row in checked], validation, label=look.label, **_pen(look))
        last_steps.append(steps[-1])
        first_validations += validation[:1]
        split, values = ("validation", validation) if validation else ("training", training)
        figure.alt += f" {look.label}: {split} from {values[0]:.3f} to {values[-1]:.3f}"
        figure.alt += f" after {steps[-1]} steps."
    if first_validations:
        # The first steps fall from ln V and would flatten all that is of interest.
        top = max(first_validations)
        lowest = min(min(line.get_ydata(), default=top) for line in axes.lines)
        margin = 0.06 * max(top - lowest, 0.1)
        axes.set_ylim(lowest - margin, top + margin)
    if last_steps and max(last_steps) > 5 * min(last_steps):
        axes.set_xscale("log")
    axes.set(xlabel="optimiser steps", ylabel="cross-entropy, nats per token")
    if last_steps:
        axes.legend(loc="upper right")
    return figure


@styled
def cross_entropy_comparison(
    cross_entropy: dict[str, float], gap_closed: float | None = None
) -> Figure:
    """One row and dot per model, the best on top; beside the student how much of the gap it closed.

    cross_entropy: nats per token of each model.
    gap_closed: the share of the way from the equal-steps control to the teacher that the student
    has gone; without it no gap is drawn.
    """
    names = sorted(cross_entropy, key=cross_entropy.get)
    figure, axes = _one_axes(1 + 0.6 * len(names))
    for row, name in enumerate(names):
        look, value = LOOKS[name], cross_entropy[name]
        dot = {"color": look.color, "marker": look.marker, "markersize": 9, "zorder": 3}
        axes.plot([value], [row], label=look.label, **dot)
        # The student's row holds the gap, so its number goes above the dot; the others' go beside it.
        above = name == "student"
        axes.annotate(
            f"{value:.3f}", (value, row), (0, 8) if above else (-9, 0), textcoords="offset points",
            ha="center" if above else "right", va="bottom" if above else "center",
        )  # fmt: skip
    has_gap = (
        gap_closed is not None
        and {"teacher", "student", "control_equal_steps"} <= cross_entropy.keys()
    )
    if has_gap:
        _draw_gap(axes, cross_entropy, names, gap_closed)
    axes.set_yticks(range(len(names)), [LOOKS[name].label for name in names])
    axes.set_ylim(len(names) - 0.5, -0.75)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    lowest, highest = min(cross_entropy.values()), max(cross_entropy.values())
    span = max(highest - lowest, 0.01)
    axes.set_xlim(
        lowest - 0.3 * span, highest + 0.1 * span
    )  # room on the left for the best model's number
    axes.set_xlabel("cross-entropy, nats per token (lower is better)")
    values = ", ".join(f"{LOOKS[name].label} {cross_entropy[name]:.3f}" for name in names)
    figure.alt = f"Cross-entropy on the test documents in nats per token, best first: {values}."
    if has_gap:
        figure.alt += f" The student closes {100 * gap_closed:.0f} % of the gap from the equal-steps control to the teacher."
    return figure


def _draw_gap(
    axes: Axes, cross_entropy: dict[str, float], names: list[str], gap_closed: float
) -> None:
    """The way from the control to the teacher, in the student's row: the part gone is bold."""
    row = names.index("student")
    start, here, goal = (
        cross_entropy[name] for name in ("control_equal_steps", "student", "teacher")
    )
    for name in ("control_equal_steps", "teacher"):
        ends = [names.index(name), row]
        axes.plot(
            [cross_entropy[name]] * 2,
            ends,
            color=LOOKS[name].color,
            linestyle=(0, (1, 2)),
            linewidth=1.2,
            label=f"_{name}",
        )
    axes.plot(
        [start, here], [row, row], color=LOOKS["student"].color, linewidth=4, label="_gap closed"
    )
    axes.plot(
        [here, goal], [row, row], color=INK, linewidth=1.2, linestyle=(0, (2, 2)), label="_gap left"
    )
    axes.annotate(
        f"{100 * gap_closed:.0f} % closed", ((start + here) / 2, row), (0, -5),
        textcoords="offset points", ha="center", va="top", fontsize=10,
    )  # fmt: skip


@styled
def reliability(calibration: dict[str, dict[str, list]], ece: dict[str, float]) -> Figure:
    """How often the likeliest token was right against how sure the model was of it.

    On the diagonal a model knows what it knows; below it, it is too sure. The area of the halo
    around a marker shows the share of the predictions in that bin.

    calibration: for each model the lists confidence, accuracy and share, one item per bin, None
    for an empty bin. ece: each model's expected calibration error (Guo et al. 2017).
    """
    figure, axes = _one_axes(3.7)
    axes.plot([0, 1], [0, 1], color=INK, linewidth=1, alpha=0.7, label="_perfect")
    for name, look in LOOKS.items():
        if name not in calibration:
            continue
        bins = zip(
            *(calibration[name][key] for key in ("confidence", "accuracy", "share")), strict=True
        )
        filled = [each for each in bins if None not in each]
        confidence, accuracy, share = zip(*filled, strict=True) if filled else ((), (), ())
        axes.scatter(
            confidence, accuracy, [900 * s for s in share], look.color, linewidths=0, alpha=0.2
        )
        axes.plot(confidence, accuracy, label=f"{look.label} (ECE {ece[name]:.3f})", **_pen(look))
    axes.set(
        xlim=(0, 1),
        ylim=(0, 1),
        xlabel="confidence in the likeliest token",
        ylabel="how often it was right",
    )
    axes.legend(loc="upper left")
    errors = ", ".join(
        f"{LOOKS[name].label} {ece[name]:.3f}" for name in LOOKS if name in calibration
    )
    figure.alt = (
        f"Reliability diagram: accuracy over confidence. Expected calibration error: {errors}."
    )
    return figure


def _one_axes(height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(WIDTH, height))
    return figure, figure.add_subplot()


def _pen(look: Look) -> dict:
    return {"color": look.color, "linestyle": look.line, "marker": look.marker}
