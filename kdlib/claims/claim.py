"""What is claimed, by whom, how it is tried, and which rule decides."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kdlib.claims.rules import Interval, Numbers, Rule, Verdict

# One training: learning rate, seed, whether the quick form is wanted -> numbers by measure.
Train = Callable[[float, int, bool], Mapping[str, float]]

VALIDATION = "validation"  # the measure that tuning makes small
TUNING_SEEDS = (100,)  # none of a claim's own


@dataclass(frozen=True)
class Source:
    """Where a sentence comes from.

    Attributes:
        paper: authors and title.
        year: of the publication that was read.
        where: section, table or figure.
        measured: what exactly was measured there.
        read: what of it was read for this: the abstract, a section, all of it.
    """

    paper: str
    year: int
    where: str
    measured: str
    read: str


@dataclass(frozen=True)
class Arm:
    """One way to train.

    Attributes:
        words: what it is, in a few words.
        train: trains once; must report `VALIDATION` if there are rates.
        rates: learning rates to choose from, on validation; empty if there is nothing to tune.
    """

    words: str
    train: Train
    rates: tuple[float, ...] = ()

    @property
    def quick_rate(self) -> float:
        """The rate of the quick form: the middle one, whatever the tuning finds."""
        return self.rates[len(self.rates) // 2] if self.rates else 0.0


@dataclass(frozen=True)
class Claim:
    """A sentence, and how it is tried.

    Attributes:
        name: of its file, with hyphens.
        sentence: the claim, in our words.
        source: who says so.
        arms: by name, everything that is trained.
        equal: what is held equal between them.
        rule: what decides; all of them must agree, or the verdict is "undecided".
        rival: another explanation of the same outcome.
        rival_rules: what would show it; they are printed and do not decide.
        reach: what can be concluded at this scale, and what not.
        settings: every constant of the experiment, kept in the record; JSON.
        measures: by name, what it is and in which unit.
        seeds: of the trainings that decide.
        tuning_seeds: of those that choose the rates, by their mean; several where one is a lottery.
        tolerance: by how much a quick form may move before the record is stale, as a share.
    """

    name: str
    sentence: str
    source: Source
    arms: Mapping[str, Arm]
    equal: str
    rule: Sequence[Rule]
    rival: str
    rival_rules: Sequence[Rule]
    reach: str
    settings: Mapping[str, Any]
    measures: Mapping[str, str]
    seeds: Sequence[int] = field(default=(0, 1, 2, 3, 4))
    tuning_seeds: Sequence[int] = TUNING_SEEDS
    tolerance: float = 0.02

    def intervals(self, numbers: Numbers) -> dict[str, Interval]:
        """The interval of each rule, the rival's too, by its words."""
        return {str(rule): rule.interval(numbers) for rule in (*self.rule, *self.rival_rules)}

    def verdict(self, numbers: Numbers) -> Verdict:
        """What the rule makes of the numbers."""
        return together([rule.judge(numbers) for rule in self.rule])


def together(verdicts: Sequence[Verdict]) -> Verdict:
    """One verdict of several: theirs if they agree."""
    return verdicts[0] if len(set(verdicts)) == 1 else "undecided"
