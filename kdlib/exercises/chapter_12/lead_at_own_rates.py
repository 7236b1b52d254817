"""The lead of one arm over another, each at its own best rate."""

import torch
from torch import Tensor

from kdlib.exercises.authoring.inputs import normal
from kdlib.exercises.kinds.functions import code


@code(
    source=(),
    difficulty=3,
    minutes=8,
    prompt=(
        "Two arms were swept over the same R learning rates. `validation[a, r, k]` (2, R, K) is "
        "the validation loss of arm a at rate r in the k-th of K tuning trainings. "
        "`test[a, r, s]` (2, R, S) is its test loss in the s-th of S further trainings. Write "
        "`lead_at_own_rates(validation, test)`: give each arm the rate at which its mean "
        "validation loss is lowest, and return for each of the S trainings how far arm 0 is ahead "
        "of arm 1, in nats: positive where arm 0 is better."
    ),
    hints=(
        "What chooses a rate must not be what decides; and each arm has a choice of its own.",
        "Mean over K, then argmin over R, one position for each arm.",
        "Losses: the better arm has the smaller one. Subtract arm 0's row from arm 1's.",
    ),
    explanation=(
        "At one rate for both, a comparison of two losses is also one of two step sizes. Where all "
        "rates are trained on the deciding seeds, it is tempting to choose among those scores."
    ),
)
def lead_at_own_rates(validation, test):
    """The lead of arm 0 per training, each arm at its best rate. (2, R, K), (2, R, S) -> (S,)"""
    first, second = validation.mean(dim=2).argmin(dim=1).tolist()
    return test[1, second] - test[0, first]


def _sweep(rates: int, tuning: int, seeds: int, seed: int, best: tuple[int, int]):
    """Losses that are lowest at other rates in the test's trainings than on validation."""
    validation = 6 + 0.2 * normal(2, rates, tuning, seed=seed)
    test = 6 + 0.5 * normal(2, rates, seeds, seed=seed + 1)
    for arm, rate in enumerate(best):
        lowest = validation.mean(dim=2)[arm].min()
        validation[arm, rate] += lowest - 0.1 - validation[arm, rate].mean()
    return validation, test


_tuned = {
    "four rates, one tuning training": _sweep(4, 1, 5, 811, (2, 1)),
    "the best at the edges": _sweep(3, 2, 4, 822, (0, 2)),
    "three tuning trainings that differ": _sweep(5, 3, 6, 833, (3, 1)),
    "one rate suits both": _sweep(4, 2, 3, 844, (1, 1)),
    "the other way round": _sweep(6, 4, 5, 855, (4, 5)),
}
for _name, (_validation, _test) in _tuned.items():
    lead_at_own_rates.probe(_name, _validation, _test)


def _lucky(validation: Tensor) -> Tensor:
    """The same means, and one tuning training that is by far the best at a rate that is not."""
    validation = validation.clone()
    worst = validation.mean(dim=2).argmax(dim=1)
    for arm, rate in enumerate(worst.tolist()):
        validation[arm, rate, -1] -= 3.0
        validation[arm, rate, :-1] += 3.0 / (validation.shape[2] - 1)
    return validation


_, _test = _tuned["the other way round"]
lead_at_own_rates.probe("one lucky tuning training", _lucky(_validation), _test)
lead_at_own_rates.probe(
    "a rate between the two",
    torch.tensor([[[5.0], [5.1], [6.0]], [[6.2], [5.3], [5.2]]]) + torch.tensor([0.1, -0.2]),
    6 + normal(2, 3, 4, seed=866),
)
lead_at_own_rates.probe(
    "one bad tuning training",
    torch.tensor([[[5.0, 8.0, 5.0], [5.3, 5.3, 5.2]], [[5.9, 5.1, 5.2], [5.5, 5.4, 5.6]]]),
    6 + normal(2, 2, 5, seed=877),
)


@lead_at_own_rates.also
def lead_in_loops(validation, test):
    at = []
    for arm in range(2):
        sums = [sum(row) for row in validation[arm].tolist()]
        at.append(test[arm][sums.index(min(sums))].tolist())
    return [b - a for a, b in zip(*at)]


def _lead(
    choose=lambda validation, test: validation.mean(dim=2).argmin(dim=1),
    compare=lambda ahead, behind: behind - ahead,
):
    """The lead with one thing changed: how two rates are chosen, or what is made of two rows."""

    def answer(validation, test):
        first, second = (int(rate) for rate in choose(validation, test))
        return compare(test[0, first], test[1, second])

    return answer


def _both(place):
    return lambda validation, test: [place(validation.mean(dim=2), test)] * 2


lead_at_own_rates.mistakes(
    ("unequal-budget", "arm 1 runs at the rate that was tuned for arm 0",
     "a rate of its own for either arm",
     _lead(_both(lambda v, _: v[0].argmin()))),
    ("unequal-budget", "arm 0 runs at the rate that was tuned for arm 1",
     "for either arm the rate that suits it",
     _lead(_both(lambda v, _: v[1].argmin()))),
    ("unequal-budget", "one rate for both: the best for their sum",
     "two choices, one for each arm",
     _lead(_both(lambda v, _: v.sum(dim=0).argmin()))),
    ("unequal-budget", "both run at the middle rate, and the sweep has no effect",
     "the rates that the sweep finds",
     _lead(_both(lambda v, _: v.shape[1] // 2))),
    ("unequal-budget", "arm 0 has its best rate, and arm 1 is left at the first",
     "the same care for both arms",
     _lead(lambda v, _: (v.mean(dim=2)[0].argmin(), 0))),
    ("noise-for-signal", "the rates are chosen by the test's trainings, whose noise then is a lead",
     "a choice that is made before the trainings that decide",
     _lead(lambda _, test: test.mean(dim=2).argmin(dim=1))),
    ("noise-for-signal", "of all rates those are taken at which arm 0 is farthest ahead",
     "a choice that does not know who is ahead",
     _lead(lambda _, test: (test.mean(dim=2)[0].argmin(), test.mean(dim=2)[1].argmax()))),
    ("lucky-seed", "each training takes whichever rate did best in it",
     "one rate for an arm, the same in all trainings",
     lambda v, test: test[1].min(dim=0).values - test[0].min(dim=0).values),
    ("lucky-seed", "the rate of the luckiest tuning training is taken",
     "the lowest mean over the tuning trainings",
     _lead(lambda v, _: v.min(dim=2).values.argmin(dim=1))),
    ("lucky-seed", "only the first of the tuning trainings is looked at",
     "a mean over all of them",
     _lead(lambda v, _: v[:, :, 0].argmin(dim=1))),
    ("argmax-sign", "each arm runs at its worst rate", "losses: the lower the better",
     _lead(lambda v, _: v.mean(dim=2).argmax(dim=1))),
    ("order-assumed", "both run at the first rate of the sweep",
     "the best rate, wherever it stands", _lead(_both(lambda v, _: 0))),
    ("order-assumed", "both run at the last rate of the sweep",
     "the best rate, in whichever order they come", _lead(_both(lambda v, _: -1))),
    ("sign-flipped", "a lead of arm 0 comes out negative",
     "a positive number where arm 0 has the smaller loss",
     _lead(compare=lambda ahead, behind: ahead - behind)),
    ("ratio-and-difference", "the losses are divided by each other", "a difference in nats",
     _lead(compare=lambda ahead, behind: behind / ahead)),
    ("no-control", "only arm 0 is looked at", "a comparison with the other arm",
     _lead(compare=lambda ahead, behind: ahead)),
    ("one-sign-only", "the result is never negative, whoever is ahead",
     "a number that says who is ahead",
     _lead(compare=lambda ahead, behind: (ahead - behind).abs())),
    ("median-for-mean", "rates are chosen by the median of the tuning trainings",
     "means, which feel a bad training",
     _lead(lambda v, _: v.median(dim=2).values.argmin(dim=1))),
)  # fmt: skip
