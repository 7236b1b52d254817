"""Whether what the data call right is what the outputs show."""

from __future__ import annotations

import itertools
import math
import operator
import re
from collections.abc import Callable, Mapping

from kdlib.exercises.predictions.kinds import Choice, Number, Order, Prediction

SIGN = re.compile(r"\s*([<>=])\s*")
SIDE = re.compile(
    r"(?:(?P<factor>[\d.]+)\s*\*\s*)?(?P<what>[A-Za-z_]\w*|[+-]?[\d.]+(?:e[+-]?\d+)?)"
)


def faults(prediction: Prediction, output: str) -> list[str]:
    """What the outputs do not bear out, one line each; none where they prove the answer.

    output: the plain text of all outputs that answer the question.
    """
    try:
        return [
            f"{prediction.id}: {fault}" for fault in _FAULTS[type(prediction)](prediction, output)
        ]
    except ValueError as error:
        return [f"{prediction.id}: {error}"]


def number_in(pattern: str, output: str) -> float:
    """The number that a pattern finds. ValueError where it finds none, or several."""
    found = re.findall(pattern, output, re.MULTILINE)
    if len(found) != 1:
        raise ValueError(f"{pattern!r} is found {len(found)} times, not once")
    text = found[0].replace(",", "").replace("−", "-").rstrip("% ")
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{pattern!r} finds {found[0]!r}, which is no number") from None


def holds(when: str, shows: Mapping[str, str], output: str) -> bool:
    """Whether an option is right by the outputs; `data` says how that is written."""
    if when.startswith("/"):
        return re.search(when[1:-1], output, re.MULTILINE) is not None
    return all(_compares(part, shows, output) for part in when.split(" and "))


def _compares(part: str, shows: Mapping[str, str], output: str) -> bool:
    """A comparison, such as "A < 2 * B < C"."""
    sides = SIGN.split(part.strip())
    if len(sides) < 3:
        raise ValueError(f"{part!r} is no comparison")
    values = [_value(side, shows, output) for side in sides[::2]]
    pairs = zip(itertools.pairwise(values), sides[1::2])
    return all(COMPARED[sign](*pair) for pair, sign in pairs)


def _value(side: str, shows: Mapping[str, str], output: str) -> float:
    found = SIDE.fullmatch(side)
    if found is None:
        raise ValueError(f"{side!r} is neither a name nor a number")
    what = found["what"]
    if what in shows:
        value = number_in(shows[what], output)
    elif what in ("inf", "nan") or not what[0].isalpha():
        value = float(what)
    else:
        raise ValueError(f"{what!r} is not in `shows`")
    return value if found["factor"] is None else float(found["factor"]) * value


def _same(one: float, other: float) -> bool:
    return one == other or (math.isnan(one) and math.isnan(other))


COMPARED: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    ">": operator.gt,
    "=": _same,
}


def _choice_faults(about: Choice, output: str) -> list[str]:
    right = [o.text for o in about.options if holds(o.when, about.shows, output)]
    return [] if right == [about.right] else [f"{about.right!r} is stored, {right} is shown"]


def _number_faults(about: Number, output: str) -> list[str]:
    shown = number_in(about.shows, output)
    return [] if shown == about.right else [f"{about.right} is stored, {shown} is shown"]


def _order_faults(about: Order, output: str) -> list[str]:
    values = [number_in(pattern, output) for _, pattern in about.items]
    beside = operator.lt if about.is_rising else operator.gt
    if all(beside(*pair) for pair in itertools.pairwise(values)):
        return []
    way = "rise" if about.is_rising else "fall"
    return [f"the numbers of its items are {values}, and do not {way}"]


_FAULTS: dict[type, Callable[..., list[str]]] = {
    Choice: _choice_faults,
    Number: _number_faults,
    Order: _order_faults,
}
