"""Intervals over trainings and documents, against a slow computation and against the truth."""

import json

import numpy as np
import pytest
from interval_coverage import (
    TRUTH,
    WORLDS,
    block_bootstrap,
    coverage,
    crossed_bootstrap,
    draw,
    ours,
    satterthwaite,
    without_interaction,
)
from scipy import stats

from kdlib.reports.intervals import advantage, gap_closed

# --- Against the definition ---------------------------------------------------------------------


def slow_interval(statistic, models, tokens):
    """The interval as its definition reads: leave out each row, each column, and compute anew."""

    def measured(rows, columns):
        kept = [m[np.ix_(rows if len(m) > 1 else [0], columns)] for m in models]
        count = sum(tokens[column] for column in columns)
        return statistic(*(np.mean([sum(row) / count for row in m]) for m in kept))

    rows, columns = range(max(map(len, models))), range(len(tokens))
    value, square = measured(rows, columns), 0.0
    if len(rows) > 1:
        left = [measured([r for r in rows if r != out], columns) for out in rows]
        spread = sum((x - value) ** 2 for x in left) * (len(rows) - 1) / len(rows)
        square += spread * stats.t.ppf(0.975, len(rows) - 1) ** 2
    left = [measured(rows, [c for c in columns if c != out]) for out in columns]
    spread = sum((x - value) ** 2 for x in left) * (len(columns) - 1) / len(columns)
    effective = 1 / sum((count / sum(tokens)) ** 2 for count in tokens)
    square += spread * stats.t.ppf(0.975, max(effective - 1, 1)) ** 2
    return {"value": value, "low": value - square**0.5, "high": value + square**0.5}


def some_models(trainings, tokens):
    """A teacher, a student and a control that differ by training and by document."""
    generator = np.random.default_rng(trainings)
    shape = (trainings, len(tokens))
    hard = generator.normal(0, 0.5, len(tokens))
    return [
        (level + hard + generator.normal(0, 0.03, shape)) * tokens
        for level, shape in ((3.4, (1, len(tokens))), (4.0, shape), (4.6, shape))
    ]


LENGTHS = {
    "alike": [900.0] * 6,
    "various": [700.0, 1800.0, 350.0, 5200.0, 1250.0],
    "one that outweighs the others": [40000.0, 900.0, 1100.0],
}


@pytest.mark.parametrize("tokens", LENGTHS.values(), ids=LENGTHS)
@pytest.mark.parametrize("trainings", [1, 2, 4])
def test_intervals_match_a_slow_computation(trainings, tokens):
    tokens = np.array(tokens)
    teacher, student, control = models = some_models(trainings, tokens)
    found = advantage(student, control, tokens), gap_closed(*models, tokens)
    expected = (
        slow_interval(lambda s, c: c - s, [student, control], tokens),
        slow_interval(lambda t, s, c: (c - s) / (c - t), models, tokens),
    )
    for interval, slow in zip(found, expected):
        assert (interval["trainings"], interval["units"]) == (trainings, len(tokens))
        assert {end: interval[end] for end in slow} == pytest.approx(slow, rel=1e-9)


def test_a_baseline_of_one_training_stands_beside_each_of_the_students():
    _, student, control = some_models(3, np.array(LENGTHS["various"]))
    tokens, baseline = np.array(LENGTHS["various"]), control[:1]
    three_alike = np.repeat(baseline, 3, axis=0)
    assert advantage(student, baseline, tokens) == advantage(student, three_alike, tokens)


# --- What a reader relies on --------------------------------------------------------------------


def models_with_noise(*levels, noise):
    """nll (3, D) of models that differ by their level alone, over 100 tokens a document."""
    return [100 * (level + noise) for level in levels]


HARD = np.random.default_rng(0).normal(0, 1, 20)  # documents that are hard for all models
LUCKY = np.random.default_rng(1).normal(0, 1, (3, 1))  # seeds that are good for all models
HUNDRED = np.full(20, 100.0)


def test_gap_closed_is_0_at_the_control_and_1_at_the_teacher():
    for share in (0.0, 0.25, 1.0):
        models = models_with_noise(3, 4 - share, 4, noise=HARD + LUCKY)
        gap = gap_closed(*models, HUNDRED)
        assert (gap["value"], gap["low"], gap["high"]) == pytest.approx((share,) * 3)


def test_what_all_models_share_cancels_in_the_interval():
    student, control = models_with_noise(3, 3.1, noise=HARD + LUCKY)
    paired = advantage(student, control, HUNDRED)
    assert paired["low"] == pytest.approx(0.1) == paired["high"]
    crossed = advantage(student, np.roll(control, 1, axis=0), HUNDRED)  # other seeds
    assert crossed["high"] - crossed["low"] > 1


def test_no_spread_gives_an_interval_of_no_width():
    tokens = np.array([64.0, 64.0, 64.0])
    student, control = np.full((2, 3), 128.0), np.full((2, 3), 192.0)
    interval = advantage(student, control, tokens)
    assert interval == {"value": 1.0, "low": 1.0, "high": 1.0, "trainings": 2, "units": 3}
    assert gap_closed(student / 2, student, control, tokens)["high"] == 0.5


def test_no_gap_without_a_better_teacher():
    same = np.full((1, 5), 400.0)
    assert gap_closed(same, same - 20, same, np.full(5, 100.0)) is None
    assert gap_closed(same + 10, same - 20, same, np.full(5, 100.0)) is None


def test_no_share_of_a_gap_that_may_be_nothing():
    """On four documents the gap is 3, 3, 3 and -1 nats: it may be nothing, its share anything."""
    control, teacher = np.full((1, 4), 400.0), np.array([[100.0, 100.0, 100.0, 500.0]])
    tokens = np.full(4, 100.0)
    assert control.sum() > teacher.sum()
    assert gap_closed(teacher, control - 100, control, tokens) is None
    assert gap_closed(np.minimum(teacher, 150), control - 100, control, tokens) is not None


def test_advantage_weighs_documents_by_their_tokens():
    student, control = np.array([[100.0, 10.0]]), np.array([[200.0, 20.0]])
    value = advantage(student, control, np.array([100.0, 1.0]))["value"]
    assert value == pytest.approx(110 / 101)


def test_a_document_without_counted_tokens_changes_nothing():
    tokens = np.array(LENGTHS["various"])
    _, student, control = some_models(2, tokens)
    padded = [np.insert(nll, 2, 0.0, axis=1) for nll in (student, control)]
    assert advantage(*padded, np.insert(tokens, 2, 0)) == advantage(student, control, tokens)


def test_an_interval_is_plain_numbers_that_a_file_keeps():
    interval = advantage(*some_models(2, HUNDRED)[1:], HUNDRED)
    assert [type(number) for number in interval.values()] == [float, float, float, int, int]
    assert json.loads(json.dumps(interval)) == interval


@pytest.mark.parametrize(
    ("student", "tokens", "message"),
    [
        (np.ones((2, 1)), [5], "tokens: 1 unit with counted tokens"),
        (np.ones((2, 3)), [5, 0, 0], "tokens: 1 unit with counted tokens"),
        (np.ones((2, 4)), [5, 5, 5], r"student: shape \(2, 4\), must be \(1, 3\) or \(3, 3\)"),
        (np.ones((2, 3)), [5, 5, 5], r"student: shape \(2, 3\), must be \(1, 3\) or \(3, 3\)"),
        (np.ones(3), [5, 5, 5], r"student: shape \(3,\)"),
        (np.full((3, 3), np.inf), [5, 5, 5], "student: must be finite"),
    ],
)
def test_what_gives_no_interval_is_refused(student, tokens, message):
    with pytest.raises(ValueError, match=message):
        advantage(student, np.ones((3, len(tokens))), np.array(tokens))


# --- Against the truth --------------------------------------------------------------------------

# With 95 % of 600 repetitions, fewer than 550 cover with a probability below 0.4 %.
REPETITIONS, LEAST = 600, 550 / 600


@pytest.mark.parametrize(
    ("world", "trainings", "documents"),
    [
        ("both count", 2, 30),
        ("both count", 3, 6),
        ("trainings count", 2, 12),
        ("trainings count", 3, 3),
        ("documents count, very unequal lengths", 5, 6),
        ("trainings and documents interact", 3, 3),
    ],
)
def test_intervals_cover_new_trainings_and_new_documents(world, trainings, documents):
    size = (REPETITIONS, trainings, documents)
    share, _ = coverage(ours, draw(WORLDS[world], size, np.random.default_rng(0)))
    assert share >= LEAST


def test_with_one_training_they_speak_of_that_training_alone():
    generator = np.random.default_rng(0)
    alone = draw(WORLDS["all trainings alike"], (REPETITIONS, 1, 12), generator)
    assert coverage(ours, alone)[0] >= LEAST
    others = draw(WORLDS["trainings count"], (REPETITIONS, 1, 12), generator)
    assert coverage(ours, others)[0] < 0.3


def test_blocks_of_one_training_cover_neither():
    for world in ("both count", "trainings count", "documents count"):
        sample = draw(WORLDS[world], (200, 3, 6), np.random.default_rng(0))
        assert coverage(block_bootstrap, sample)[0] < 0.6, world


@pytest.mark.parametrize(
    ("rival", "world", "size", "most"),
    [
        (satterthwaite, "both count", (4000, 2, 30), 0.92),
        (without_interaction, "trainings and documents interact", (4000, 2, 6), 0.85),
        (crossed_bootstrap, "both count", (400, 3, 6), 0.90),
    ],
)
def test_each_narrower_interval_falls_short_somewhere(rival, world, size, most):
    assert coverage(rival, draw(WORLDS[world], size, np.random.default_rng(0)))[0] < most


def test_the_share_of_the_gap_is_covered():
    generator, size = np.random.default_rng(0), (REPETITIONS, 3, 6)
    world, covered = WORLDS["both count"], 0
    gains, gaps = draw(world, size, generator), draw(world, size, generator)
    for gain, gap, blocks in zip(gains.advantages, gaps.advantages + 3 * TRUTH, gains.blocks):
        teacher = np.full((1, len(blocks)), 3.4)
        control = teacher + gap
        models = (nll * blocks for nll in (teacher, control - gain, control))
        interval = gap_closed(*models, blocks)
        covered += interval is None or interval["low"] <= 0.25 <= interval["high"]
    assert covered >= LEAST * REPETITIONS
