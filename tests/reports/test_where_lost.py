"""Where the student lost: bins and means against loops over single tokens."""

import math

import numpy as np
import pytest

from kdlib.reports.layout import Layout
from kdlib.reports.score_file import Scores
from kdlib.reports.scores import TokenScores
from kdlib.reports.where_lost import frequency_bins, position_bins, where_lost

NAMES = ["first", "<script>", "empty", "last"]


def made_up(tokens=400, vocabulary=30, block=20):
    """Scores of made-up models on three of four documents, and how often the lesson had a token."""
    draw = np.random.default_rng(3)
    layout = Layout(
        document=np.sort(draw.choice([0, 1, 3], tokens)).astype(np.int32),
        block=np.arange(tokens, dtype=np.int32) // block,
        position=(np.arange(tokens, dtype=np.int32) % block) + 1,
        token=draw.integers(0, vocabulary, tokens, dtype=np.int32),
    )
    models = {}
    for name in ("teacher", "student", "control_equal_steps"):
        nll, kl = draw.random((2, tokens)).astype(np.float32)
        rest = [np.zeros(tokens)] * 5
        models[name] = TokenScores(nll, kl, *rest)
    lesson = draw.integers(1, 50, vocabulary)
    lesson[[4, 7]] = 0
    return Scores(layout, layout, 1000, models, {}), lesson


def mean_where(scores, name, chosen):
    """The mean KL and excess of the tokens that were chosen, one by one."""
    model, teacher = scores.models[name], scores.models["teacher"]
    kl = [float(model.forward_kl[t]) for t in chosen]
    excess = [float(model.nll[t]) - float(teacher.nll[t]) for t in chosen]
    return math.fsum(kl) / len(chosen), math.fsum(excess) / len(chosen)


def assert_bins_are(part, scores, values):
    """Each bin has the values from its first to its last, and every token has one bin."""
    assert sum(part["tokens"]) == len(values)
    for number, (first, last) in enumerate(zip(part["first"], part["last"], strict=True)):
        chosen = [t for t, value in enumerate(values) if first <= value <= last]
        assert part["tokens"][number] == len(chosen)
        assert {values[t] for t in chosen} >= {first, last}
        for name in ("student", "control_equal_steps"):
            kl, excess = mean_where(scores, name, chosen)
            assert part[name]["forward_kl"][number] == pytest.approx(kl)
            assert part[name]["excess"][number] == pytest.approx(excess)


def test_frequency_against_a_loop():
    scores, lesson = made_up()
    part = where_lost(scores, lesson, NAMES)["frequency"]
    assert_bins_are(part, scores, [int(lesson[token]) for token in scores.layout.token])
    assert len(part["tokens"]) == 5
    assert part["first"][-1] == part["last"][-1] == 0, "the last bin is for what was never seen"
    assert part["first"] == sorted(part["first"], reverse=True)


def test_position_against_a_loop():
    scores, lesson = made_up()
    part = where_lost(scores, lesson, NAMES)["position"]
    assert_bins_are(part, scores, scores.layout.position.tolist())
    assert (part["first"], part["last"]) == ([1, 2, 3, 5, 9, 17], [1, 2, 4, 8, 16, 20])


def test_documents_against_a_loop():
    scores, lesson = made_up()
    part = where_lost(scores, lesson, NAMES)["document"]
    assert part["name"] == ["first", "<script>", "last"], "a document without a token has no mean"
    for row, document in enumerate((0, 1, 3)):
        chosen = [t for t, number in enumerate(scores.layout.document) if number == document]
        assert part["tokens"][row] == len(chosen)
        kl, excess = mean_where(scores, "student", chosen)
        assert part["student"]["forward_kl"][row] == pytest.approx(kl)
        assert part["student"]["excess"][row] == pytest.approx(excess)


def test_the_teacher_is_no_learner():
    scores, lesson = made_up()
    for part in where_lost(scores, lesson, NAMES).values():
        assert "teacher" not in part and "student" in part


def test_seen_tokens_fall_into_quarters():
    counts = np.random.default_rng(0).permutation(np.arange(1, 1001))
    sizes = np.bincount(frequency_bins(counts))
    assert len(sizes) == 4 and sizes.min() >= 249


def test_equal_counts_stay_together():
    counts = np.array([7] * 90 + [1] * 10 + [0] * 3)
    index = frequency_bins(counts)
    assert index.tolist() == [0] * 90 + [1] * 10 + [2] * 3


@pytest.mark.parametrize(("counts", "bins"), [([0, 0], [0, 0]), ([5], [0]), ([0, 5], [1, 0])])
def test_few_tokens(counts, bins):
    assert frequency_bins(np.array(counts)).tolist() == bins


def test_positions_double():
    assert position_bins(np.arange(1, 10)).tolist() == [0, 1, 2, 2, 3, 3, 3, 3, 4]
    assert position_bins(np.array([2048, 2049])).tolist() == [0, 1]
