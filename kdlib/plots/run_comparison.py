"""The models of a run side by side: one dot each."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes

from kdlib.plots.style import INK, LOOKS, PAIR, Picture, panel, styled


@styled
def cross_entropy_comparison(
    cross_entropy: dict[str, float], gap_closed: float | None = None
) -> Picture:
    """One dot per model, the best on top, with the share of the gap that the student closed.

    Args:
        cross_entropy: each model's cross-entropy, in nats per token.
        gap_closed: the share of the gap from the equal-steps control to the teacher that the
            student closed; None draws no gap.

    Returns:
        The picture, with all values in its alt text.
    """
    names = sorted(cross_entropy, key=cross_entropy.__getitem__)
    figure, axes = panel(0.9 + 0.52 * len(names), PAIR)
    for row, name in enumerate(names):
        look, value = LOOKS[name], cross_entropy[name]
        dot: dict[str, Any] = {"color": look.color, "marker": look.marker, "markersize": 9}
        axes.plot([value], [row], label=look.label, zorder=3, **dot)
        # The student's row holds the gap, so its number goes above the dot, not beside it.
        above = name == "student"
        axes.annotate(
            f"{value:.3f}", (value, row), (0, 8) if above else (-9, 0), textcoords="offset points",
            ha="center" if above else "right", va="bottom" if above else "center",
        )  # fmt: skip
    ends = {"teacher", "student", "control_equal_steps"}
    closed = gap_closed if ends <= cross_entropy.keys() else None
    if closed is not None:
        _draw_gap(axes, cross_entropy, names, closed)
    _frame(axes, cross_entropy, names)
    values = "; ".join(f"{LOOKS[name].label} {cross_entropy[name]:.3f}" for name in names)
    figure.alt = f"Cross-entropy on the test documents in nats per token, best first: {values}."
    if closed is not None:
        figure.alt += (
            f" The student closes {100 * closed:.0f} % of the gap from the equal-steps control to"
            " the teacher."
        )
    return figure


def _frame(axes: Axes, cross_entropy: dict[str, float], names: list[str]) -> None:
    """Names on the left, no lines around, and room on the left for the best model's number."""
    axes.set_yticks(range(len(names)), [LOOKS[name].label for name in names])
    axes.set_ylim(len(names) - 0.5, -0.75)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    lowest, highest = min(cross_entropy.values()), max(cross_entropy.values())
    span = max(highest - lowest, 0.01)
    axes.set_xlim(lowest - 0.3 * span, highest + 0.1 * span)
    axes.set_xlabel("cross-entropy, nats per token")


def _draw_gap(
    axes: Axes, cross_entropy: dict[str, float], names: list[str], gap_closed: float
) -> None:
    """The gap from the control to the teacher, in the student's row; the closed part is bold."""
    row = names.index("student")
    start, reached, goal = (
        cross_entropy[name] for name in ("control_equal_steps", "student", "teacher")
    )
    dotted: dict[str, Any] = {"linestyle": (0, (1, 2)), "linewidth": 1.2}
    for name in ("control_equal_steps", "teacher"):
        place, ends = [cross_entropy[name]] * 2, [names.index(name), row]
        axes.plot(place, ends, color=LOOKS[name].color, label=f"_{name}", **dotted)
    bold: dict[str, Any] = {"color": LOOKS["student"].color, "linewidth": 4}
    axes.plot([start, reached], [row, row], label="_gap closed", **bold)
    rest: dict[str, Any] = {"color": INK, "linewidth": 1.2, "linestyle": (0, (2, 2))}
    axes.plot([reached, goal], [row, row], label="_gap left", **rest)
    axes.annotate(
        f"{100 * gap_closed:.0f} % closed", (max(start, reached), row), (0, -6),
        textcoords="offset points", ha="right", va="top", fontsize=10,
    )  # fmt: skip
