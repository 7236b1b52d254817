"""Unseen answers of chapter 12: right ones are correct, mistakes are named in nine of ten."""

import numpy as np
import pytest
import torch
from scipy import stats
from unseen import Unseen, assert_nine_in_ten

from kdlib.exercises import exercise

unseen = Unseen()


# ---------------------------------------------------------------- right


@unseen.right("verdict-of-trainings")
def verdict_by_standard_errors(differences, margin, t):
    rows = differences.numpy()
    mean, error = rows.mean(axis=1), stats.sem(rows, axis=1)
    return np.where(mean - t * error > margin, 1, np.where(mean + t * error < 0, -1, 0))


@unseen.right("verdict-of-trainings")
def verdict_in_floats(differences, margin, t):
    rows = differences.double()
    half = t * (rows.var(1) / rows.size(1)).sqrt()
    return ((rows.mean(1) - half) > margin).double() - ((rows.mean(1) + half) < 0).double()


@unseen.right("lead-at-own-rates")
def lead_by_gathering(validation, test):
    best = validation.mean(-1).argmin(-1)
    chosen = test.gather(1, best[:, None, None].expand(2, 1, test.shape[2]))[:, 0]
    return -chosen.diff(dim=0)[0] * -1


@unseen.right("lead-at-own-rates")
def lead_in_numpy(validation, test):
    rates = np.asarray(validation).sum(axis=2).argmin(axis=1)
    own = [np.asarray(test)[arm, rate] for arm, rate in enumerate(rates)]
    return own[1] - own[0]


# ---------------------------------------------------------------- wrong


@unseen.wrong("verdict-of-trainings", "standard-error-wrong")
def verdict_of_numpy_spreads(differences, margin, t):
    rows = differences.numpy()
    half = t * rows.std(axis=1) / np.sqrt(rows.shape[1])
    return (rows.mean(1) - half > margin).astype(int) - (rows.mean(1) + half < 0).astype(int)


@unseen.wrong("verdict-of-trainings", "standard-error-wrong")
def verdict_without_a_root(differences, margin, t):
    mean, half = differences.mean(1), t * differences.std(1) / len(differences[0])
    return (mean - half > margin).long() - (mean + half < 0).long()


@unseen.wrong("verdict-of-trainings", "noise-for-signal")
def verdict_of_the_mean(differences, margin, t):
    return [1 if m > margin else -1 if m < 0 else 0 for m in differences.mean(1).tolist()]


@unseen.wrong("verdict-of-trainings", "lucky-seed")
def verdict_of_all_signs(differences, margin, t):
    lowest, highest = differences.amin(1), differences.amax(1)
    return (lowest > margin).long() - (highest < 0).long()


@unseen.wrong("verdict-of-trainings", "argument-ignored")
def verdict_of_two_errors(differences, margin, t):
    mean, error = differences.mean(1), differences.std(1) / differences.shape[1] ** 0.5
    return (mean - error > margin).long() - (mean + error < 0).long()


@unseen.wrong("verdict-of-trainings", "gap-to-the-wrong-end")
def verdict_with_two_margins(differences, margin, t):
    mean, half = differences.mean(1), t * differences.std(1) / differences.shape[1] ** 0.5
    return torch.where(mean - half > margin, 1, torch.where(mean + half < -margin, -1, 0))


@unseen.wrong("verdict-of-trainings", "noise-for-signal")
def verdict_of_two_outcomes(differences, margin, t):
    mean, half = differences.mean(1), t * differences.std(1) / differences.shape[1] ** 0.5
    return torch.where(mean - half > margin, 1, -1)


@unseen.wrong("lead-at-own-rates", "unequal-budget")
def lead_at_one_rate(validation, test):
    rate = validation.mean(2).mean(0).argmin()
    return test[1, rate] - test[0, rate]


@unseen.wrong("lead-at-own-rates", "noise-for-signal")
def lead_at_the_best_of_the_test(validation, test):
    first, second = test.mean(-1).argmin(-1)
    return test[1, second] - test[0, first]


@unseen.wrong("lead-at-own-rates", "lucky-seed")
def lead_of_the_best_everywhere(validation, test):
    best = test.min(dim=1).values
    return best[1] - best[0]


@unseen.wrong("lead-at-own-rates", "sign-flipped")
def lead_the_other_way(validation, test):
    rates = validation.mean(2).argmin(1)
    return test[0, rates[0]] - test[1, rates[1]]


@unseen.wrong("lead-at-own-rates", "lucky-seed")
def lead_of_the_luckiest(validation, test):
    rates = validation.amin(2).argmin(1)
    return test[1, rates[1]] - test[0, rates[0]]


@unseen.wrong("lead-at-own-rates", "argmax-sign")
def lead_at_the_highest(validation, test):
    rates = validation.mean(2).argmax(1)
    return test[1, rates[1]] - test[0, rates[0]]


unseen.wrong("chance-of-a-find", "double-counting")(0.3)
unseen.wrong("chance-of-a-find", "complement-for-rate")(0.74)


@pytest.mark.parametrize(("id", "answer"), unseen.answers, ids=lambda x: getattr(x, "__name__", x))
def test_unusual_right_answers_are_correct(id, answer):
    verdict = exercise(id).check(answer)
    assert verdict.outcome == "correct", verdict


def test_unseen_mistakes_are_named():
    assert_nine_in_ten(unseen.of_chapter(12))


@pytest.mark.parametrize(
    ("id", "answer"),
    [
        ("verdict-of-trainings", lambda rows, margin, t: rows.mean()),
        ("lead-at-own-rates", lambda validation, test: test[1, 0] - test[0, 0].mean(0)),
    ],
)
def test_an_unnamed_mistake_is_wrong_all_the_same(id, answer):
    assert exercise(id).check(answer).outcome == "wrong"
