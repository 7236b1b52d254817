"""A verdict from one difference for each training."""

import torch
from torch import Tensor

from kdlib.exercises.authoring.inputs import normal, positive
from kdlib.exercises.kinds.functions import code


@code(
    source=(),
    difficulty=3,
    minutes=10,
    prompt=(
        "Write `verdict_of_trainings(differences, margin, t)`. Row c of `differences` (C, S) "
        "holds, for claim c, by how much one arm is ahead of another in each of S trainings. A "
        "row's interval is its mean, and to each side t standard errors of the mean; t is given "
        "(2.776 for five trainings). Return for each claim 1 (*reproduced*) if the whole interval "
        "lies above `margin`, which is 0 or more; -1 (*opposite*) if the whole interval lies below "
        "0; else 0 (*undecided*)."
    ),
    hints=(
        "The verdict hangs on the ends of the interval; its middle alone decides nothing.",
        "Mean and standard deviation over the trainings; the error of a mean has a root in it.",
        "half = t * std / sqrt(S), then two comparisons: one for the low end, one for the high.",
    ),
    explanation=(
        "The rule has three outcomes and not two: what is not shown is not thereby refuted. The "
        "margin has to be known before the differences are."
    ),
)
def verdict_of_trainings(differences, margin, t):
    """1, 0 or -1 for each claim: reproduced, undecided, opposite. (C, S) -> (C,)"""
    mean = differences.mean(dim=1)
    half = t * differences.std(dim=1) / differences.shape[1] ** 0.5
    reproduced, opposite = mean - half > margin, mean + half < 0
    return reproduced.long() - opposite.long()


def _claims(seeds: int, t: float, margin: float, seed: int, scale: float = 1.0) -> Tensor:
    """Skewed differences whose intervals end just inside and just outside of 0 and the margin."""
    near = torch.tensor([-2.0, -1.1, -1.03, -0.97, -0.6, -0.3, 0.3, 0.6, 0.97, 1.03, 1.1, 2.0])
    rows = normal(2 * len(near), seeds, seed=seed).exp() * positive(2 * len(near), 1, seed=seed + 1)
    rows = scale * (rows - rows.mean(dim=1, keepdim=True))
    half = t * rows.std(dim=1) / seeds**0.5
    ends = torch.cat([torch.zeros(len(near)), torch.full((len(near),), margin)])
    rows = rows + (ends + near.repeat(2) * half)[:, None]
    shuffled: Tensor = rows[normal(len(rows), seed=seed + 2).argsort()]
    return shuffled


for _seeds, _t, _margin, _seed in (
    (5, 2.776, 0.0, 711),
    (3, 4.303, 0.4, 722),
    (10, 2.262, 0.2, 733),
):
    verdict_of_trainings.probe(
        f"{_seeds} trainings, margin {_margin}",
        *(_claims(_seeds, _t, _margin, _seed), _margin, _t),
    )
verdict_of_trainings.probe(
    "in thousandths", _claims(6, 2.571, 0.001, 744, scale=0.001), 0.001, 2.571
)
verdict_of_trainings.probe(
    "two claims", torch.tensor([[0.3, 0.2, 0.25, 0.35], [-0.3, -0.1, 0.1, -0.2]]), 0.1, 3.182
)
verdict_of_trainings.probe(
    "no difference at all", torch.tensor([[0.0, 0.0, 0.0], [0.5, 0.5, 0.5]]), 0.5, 4.303
)


@verdict_of_trainings.also
def verdict_in_loops(differences, margin, t):
    found = []
    for row in differences.tolist():
        mean = sum(row) / len(row)
        variance = sum((x - mean) ** 2 for x in row) / (len(row) - 1)
        half = t * (variance / len(row)) ** 0.5
        found.append(1 if mean > margin + half else -1 if mean < -half else 0)
    return found


def _judge(
    centre=lambda rows: rows.mean(dim=1),
    half=lambda rows, t: t * rows.std(dim=1) / rows.shape[1] ** 0.5,
    above=lambda mean, half, margin: mean - half > margin,
    below=lambda mean, half, margin: mean + half < 0,
):
    """The verdict with one thing changed: the interval's middle, its half, or a comparison."""

    def answer(differences, margin, t):
        mean, width = centre(differences), half(differences, t)
        return above(mean, width, margin).long() - below(mean, width, margin).long()

    return answer


verdict_of_trainings.mistakes(
    ("noise-for-signal", "the mean alone decides, however far the trainings scatter",
     "no verdict where an end of the interval is on the other side",
     _judge(half=lambda rows, t: 0.0)),
    ("noise-for-signal", "the interval has to exclude 0, and of the margin only the mean is asked",
     "an interval that lies above the margin as a whole",
     _judge(above=lambda mean, half, margin: (mean - half > 0) & (mean > margin))),
    ("noise-for-signal", "a claim that is not shown counts as refuted: nothing is undecided",
     "a third verdict for what the trainings leave open",
     _judge(below=lambda mean, half, margin: mean - half <= margin)),
    ("lucky-seed", "the first training alone decides", "a verdict that rests on all trainings",
     _judge(centre=lambda rows: rows[:, 0], half=lambda rows, t: 0.0)),
    ("lucky-seed", "the best training alone decides", "a verdict that rests on all trainings",
     _judge(centre=lambda rows: rows.max(dim=1).values, half=lambda rows, t: 0.0)),
    ("lucky-seed", "one training on the other side is enough to leave a claim undecided",
     "trainings that enter through their mean and their spread",
     lambda rows, margin, t: (rows > margin).all(1).long() - (rows < 0).all(1).long()),
    ("standard-error-wrong", "the interval is as wide as for a single training",
     "an interval of the mean, which shrinks as trainings are added",
     _judge(half=lambda rows, t: t * rows.std(dim=1))),
    ("standard-error-wrong", "the spread is divided by the number of trainings and not by its root",
     "an interval that halves with four times the trainings",
     _judge(half=lambda rows, t: t * rows.std(dim=1) / rows.shape[1])),
    ("standard-error-wrong", "the spread is that of a whole population: a little too small",
     "the spread as it is estimated from few trainings",
     _judge(half=lambda rows, t: t * rows.std(dim=1, correction=0) / rows.shape[1] ** 0.5)),
    ("standard-error-wrong", "the variance stands where its root should",
     "an interval in the unit of the differences",
     _judge(half=lambda rows, t: t * rows.var(dim=1) / rows.shape[1] ** 0.5)),
    ("standard-error-wrong", "the spread is divided by the root of the number of claims",
     "more trainings for a narrower interval; more claims change nothing",
     _judge(half=lambda rows, t: t * rows.std(dim=1) / len(rows) ** 0.5)),
    ("standard-error-wrong", "one spread for all claims: that of all differences together",
     "for each claim the spread of its own trainings",
     _judge(half=lambda rows, t: t * rows.std() / rows.shape[1] ** 0.5)),
    ("argument-ignored", "one standard error to each side, whatever t is",
     "a wider interval where t is larger",
     _judge(half=lambda rows, t: rows.std(dim=1) / rows.shape[1] ** 0.5)),
    ("argument-ignored", "the margin has no effect: an interval above 0 is enough",
     "fewer claims reproduced where the margin is larger",
     _judge(above=lambda mean, half, margin: mean - half > 0)),
    ("gap-to-the-wrong-end", "the opposite is only found beyond the margin on the other side of 0",
     "an opposite as soon as the interval lies below 0",
     _judge(below=lambda mean, half, margin: mean + half < -margin)),
    ("gap-to-the-wrong-end", "whatever lies below the margin is the opposite, also above 0",
     "an arm that is ahead by too little: undecided",
     _judge(below=lambda mean, half, margin: mean + half < margin)),
    ("one-sign-only", "no claim is ever found to be the opposite",
     "a look at both ends of the interval",
     _judge(below=lambda mean, half, margin: mean > mean)),
    ("sign-flipped", "what is reproduced is called the opposite, and the other way round",
     "1 where the arm that is said to be ahead is ahead",
     lambda rows, margin, t: -verdict_of_trainings.reference(rows, margin, t)),
    ("median-for-mean", "the interval lies around the median", "the interval of a mean",
     _judge(centre=lambda rows: rows.median(dim=1).values)),
    ("wrong-axis", "the interval runs over the claims, one for each training",
     "one interval for each claim",
     lambda rows, margin, t: verdict_of_trainings.reference(rows.T, margin, t)),
)  # fmt: skip
