"""Frames under a slider: the pictures are drawn beforehand, so the slider needs no kernel."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any

from kdlib.plots.style import Picture, img

# Without scripts (an untrusted notebook, a printout) the slider stays hidden and all pictures are
# shown below each other, each under its label.
SHOW_ONE = """
[...this.closest('div').querySelectorAll('figure')].forEach((frame, number) => {
  const shown = number == this.value;
  frame.style.display = shown ? '' : 'none';
  if (shown) this.setAttribute('aria-valuetext', frame.textContent.trim());
})"""
START = """
const box = this.closest('div');
box.firstElementChild.style.display = '';
box.querySelector('input').oninput()"""


class Frames:
    """Pictures of the same kind, one for each setting of a slider.

    Args:
        pictures: label of the setting to its picture; a number may be a label.
        name: what the slider changes.
        start: label of the picture that is seen first; by default that is the first one.

    Attributes:
        name: as given.
        pictures: the pictures by label, as text.
        alt: the alt texts of all pictures, one a line.

    Raises:
        ValueError: for no pictures, for labels that read alike, and for a start that none of them has.
    """

    def __init__(self, pictures: Mapping[Any, Picture], name: str, start: Any = None) -> None:
        if not pictures:
            raise ValueError("pictures is empty; give at least one frame")
        self.name = name
        self.pictures = {f"{label}": picture for label, picture in pictures.items()}
        if len(self.pictures) < len(pictures):
            raise ValueError(f"labels are {', '.join(map(repr, pictures))}; two of them read alike")
        labels = [*self.pictures]
        if start is not None and f"{start}" not in labels:
            raise ValueError(f"start is {start!r}; it must be one of {', '.join(labels)}")
        self._start = 0 if start is None else labels.index(f"{start}")
        rows = [f"{name} {label}: {picture.alt}" for label, picture in self.pictures.items()]
        self.alt = "\n".join(rows)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/html": self._html(), "text/plain": self.alt}

    def _html(self) -> str:
        """The slider, hidden until its script has run, and all frames."""
        last = len(self.pictures) - 1
        frames = [
            self._frame(label, picture, onload=START if number == last else "")
            for number, (label, picture) in enumerate(self.pictures.items())
        ]
        slider = (
            f'<label style="display:none">{html.escape(self.name)} '
            '<span style="display:inline-block;vertical-align:top">'
            f'<input type="range" min="0" max="{last}" value="{self._start}" style="width:100%" '
            f'oninput="{_inline(SHOW_ONE)}">{self._stops()}</span></label>'
        )
        return "\n".join([f'<div class="frames">{slider}', *frames, "</div>"])

    def _stops(self) -> str:
        """The first word of each label under its stop; who hears the page hears the captions."""
        words = "".join(
            f'<span style="flex:1 1 0;width:0;text-align:center">{html.escape(label.split(" ")[0])}</span>'
            for label in self.pictures
        )
        # The slider's knob is 16 pixels wide, so the outer stops are 8 from the ends.
        outer = f"calc(8px - (100% - 16px) / {2 * max(1, len(self.pictures) - 1)})"
        return f'<span aria-hidden="true" style="display:flex;margin:0 {outer};font-size:80%">{words}</span>'

    def _frame(self, label: str, picture: Picture, onload: str) -> str:
        """A picture with its caption."""
        caption = html.escape(f"{self.name} {label}")
        more = f' onload="{_inline(onload)}"' if onload else ""
        image = img(picture, more)
        return f'<figure style="margin:0"><figcaption>{caption}</figcaption>{image}</figure>'


def frames(pictures: Mapping[Any, Picture], name: str, start: Any = None) -> Frames:
    """The pictures under one slider.

    All pictures get the same axis limits, so that only the data move.

    Args:
        pictures: label of the setting to its picture; a number may be a label.
        name: what the slider changes.
        start: label of the picture that is seen first; by default that is the first one.

    Returns:
        An object that a notebook displays, with the alt texts of all pictures.

    Raises:
        ValueError: for no pictures, for labels that read alike, and for a start that none of them has.
    """
    axes = [picture.axes[0] for picture in pictures.values()]
    for each in axes:
        each.set_xlim(_widest([other.get_xlim() for other in axes]))
        each.set_ylim(_widest([other.get_ylim() for other in axes]))
    return Frames(pictures, name, start)


def _widest(limits: list[tuple[float, float]]) -> tuple[float, float]:
    """The limits that enclose all of these, in the direction of the first."""
    first, last = zip(*limits)
    runs_up = first[0] <= last[0]
    return (min(first), max(last)) if runs_up else (max(first), min(last))


def _inline(script: str) -> str:
    """A script as the value of an HTML attribute."""
    return html.escape(" ".join(script.split()))
