"""choose-lambda: rules that come near to the right one. All are wrong; the commonest have names."""

import pytest

from kdlib.exercises import exercise


def within_the_band(error, centre=lambda losses: losses.mean(1)):
    """The rule of choose-lambda with another error(losses, best) or other averages."""

    def answer(lambdas, losses):
        averages = centre(losses)
        bar = averages.min() + error(losses, averages.argmin())
        return min(x for x, average in zip(lambdas, averages) if average <= bar)

    return answer


def error_of(losses):
    """The standard errors of all rows."""
    return losses.std(1) / losses.shape[1] ** 0.5


BANDS = {
    "the root of the number of lambdas": lambda losses, best: (
        losses[best].std() / len(losses) ** 0.5
    ),
    "the root of 3": lambda losses, best: losses[best].std() / 3**0.5,
    "the largest error": lambda losses, best: error_of(losses).max(),
    "the mean error": lambda losses, best: error_of(losses).mean(),
    "half the range": lambda losses, best: (
        (losses[best].max() - losses[best].min()) / 2 / losses.shape[1] ** 0.5
    ),
    "the smallest error": lambda losses, best: error_of(losses).min(),
    "the median error": lambda losses, best: error_of(losses).median(),
    "the error of the first row": lambda losses, best: error_of(losses)[0],
    "the error of a difference": lambda losses, best: (
        error_of(losses).square().mean().sqrt() * 2**0.5
    ),
    "two errors": lambda losses, best: 2 * error_of(losses)[best],
    "the spread of the means": lambda losses, best: losses.mean(1).std() / len(losses) ** 0.5,
}


@pytest.mark.parametrize("band", BANDS)
def test_a_band_of_another_width_is_wrong(band):
    assert exercise("choose-lambda").check(within_the_band(BANDS[band])).outcome == "wrong"


def test_a_band_for_each_lambda_or_around_other_averages_is_named():
    own = lambda lambdas, losses: min(
        x
        for x, mean, error in zip(lambdas, losses.mean(1), error_of(losses))
        if mean - error <= losses.mean(1).min()
    )
    assert exercise("choose-lambda").check(own).misconception == "standard-error-wrong"
    error = lambda losses, best: error_of(losses)[best]
    medians = within_the_band(error, lambda losses: losses.median(1).values)
    assert exercise("choose-lambda").check(medians).misconception == "median-for-mean"
    trimmed = within_the_band(error, lambda losses: losses.sort(1).values[:, 1:-1].mean(1))
    assert exercise("choose-lambda").check(trimmed).outcome == "wrong"


def test_a_walk_that_ends_at_the_first_bad_lambda_is_wrong():
    def walked(lambdas, losses):
        rows = sorted(zip(lambdas, losses.mean(1).tolist(), error_of(losses).tolist()))
        best = min(range(len(rows)), key=lambda i: rows[i][1])
        place = best
        while place > 0 and rows[place - 1][1] <= rows[best][1] + rows[best][2]:
            place -= 1
        return rows[place][0]

    assert exercise("choose-lambda").check(walked).outcome == "wrong"
