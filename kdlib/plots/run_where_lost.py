"""Where learners lose to their teacher: by bins of tokens, and by document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kdlib.plots.style import INK, LOOKS, Picture, panel, pen, plain, styled

Losses = Mapping[str, Mapping[str, Sequence[float]]]
MEASURES = {"forward_kl": "KL to the teacher", "excess": "loss minus the teacher's"}
NARROW = {"forward_kl": "KL to the\nteacher, nats", "excess": "loss minus\nteacher's, nats"}
MOST_DOCUMENTS, LONGEST_NAME = 12, 20
LETTERS = 42  # that the x axis of a panel is wide


@styled
def lost_by_bin(losses: Losses, bins: Sequence[str], *, over: str) -> Picture:
    """Two graphs, one above the other: mean KL to the teacher and mean excess loss of each bin.

    Args:
        losses: for each learner the lists "forward_kl" and "excess", one item per bin, nats.
        bins: their names.
        over: what they are bins of.

    Returns:
        The picture, with all values in its alt text.
    """
    figure = panel(4.3)[0]
    figure.clear()
    for axes, (key, title) in zip(figure.subplots(2, sharex=True), MEASURES.items(), strict=True):
        for name, look in LOOKS.items():
            if name in losses:
                axes.plot(range(len(bins)), losses[name][key], label=look.label, **pen(look))
        _zero(axes.axhline)
        axes.set_title(f"{title}, nats", loc="left", fontsize=11)
        axes.set_xticks(range(len(bins)), bins)
        axes.set_xlim(-0.3, len(bins) - 0.7)
        axes.margins(y=0.12)
    axes.set_xlabel(over)
    axes.tick_params(axis="x", length=0, rotation=0 if _fit(bins) else 35)
    figure.alt = f"By {over}. " + _words(losses, bins)
    return figure


@styled
def lost_by_document(losses: Losses, documents: Sequence[str]) -> Picture:
    """Two graphs side by side, a row for each document, that of the student's largest loss on top.

    Args:
        losses: for each learner the lists "forward_kl" and "excess", one item per document, nats.
        documents: their names. Of more than twelve, those where the student loses most are drawn.

    Returns:
        The picture, with all drawn values in its alt text.
    """
    excess = losses["student"]["excess"]
    order = sorted(range(len(documents)), key=lambda row: -excess[row])[:MOST_DOCUMENTS]
    drawn = {
        name: {key: [model[key][row] for row in order] for key in MEASURES}
        for name, model in losses.items()
    }
    names = [_shortened(documents[row]) for row in order]
    figure = panel(4.3)[0]
    figure.clear()
    both = figure.subplots(1, 2, sharey=True)
    for axes, key in zip(both, MEASURES, strict=True):
        for name, look in LOOKS.items():
            if name in drawn:
                dots: dict[str, Any] = {"color": look.color, "marker": look.marker}
                rows = range(len(names))
                axes.plot(drawn[name][key], rows, label=look.label, linestyle="none", **dots)
        _zero(axes.axvline)
        axes.set_xlabel(NARROW[key])
        axes.margins(x=0.12)
        axes.tick_params(axis="y", length=0)
    both[0].set_yticks(range(len(names)), [*map(plain, names)], fontsize=10)
    both[0].set_ylim(len(names) - 0.5, -0.5)
    figure.alt = "By document. " + _words(drawn, names)
    return figure


def _fit(labels: Sequence[str]) -> bool:
    """Whether the labels of the x axis fit beside each other."""
    room = LETTERS / len(labels) - 1
    return all(len(one) + len(other) <= 2 * room for one, other in zip(labels, labels[1:]))


def _zero(line: Any) -> None:
    """Where a learner is as good as its teacher."""
    line(0, color=INK, linewidth=1, alpha=0.7, label="_zero")


def _shortened(name: str) -> str:
    """The end of a long name: the beginning is often a folder that all share."""
    return name if len(name) <= LONGEST_NAME else f"…{name[1 - LONGEST_NAME :]}"


def _words(losses: Losses, bins: Sequence[str]) -> str:
    """All values in words."""
    return " ".join(
        f"{look.label}, {title} in nats: "
        + ", ".join(f"{bin_}: {value:.2f}" for bin_, value in zip(bins, losses[name][key]))
        + "."
        for name, look in LOOKS.items()
        if name in losses
        for key, title in MEASURES.items()
    )
