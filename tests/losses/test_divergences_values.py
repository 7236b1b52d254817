"""Divergences against 50-digit references and SciPy, by hand, and where families meet."""

import math

import numpy as np
import oracles
import pytest
import scipy.spatial.distance
import scipy.special
import scipy.stats
import torch
from divergence_cases import INF, every_case, logs, random_logs
from torch.testing import assert_close

from kdlib.losses.divergences import (
    adaptive_kl,
    alpha_beta,
    entropy,
    forward_kl,
    generalized_jsd,
    hellinger_squared,
    jensen_shannon,
    reverse_kl,
    skew_kl,
    skew_reverse_kl,
    symmetric_kl,
    total_variation,
)


def test_the_examples_of_the_book():
    p = logs(0.7, 0.2, 0.1)
    assert round(forward_kl(p, logs(0.6, 0.3, 0.1)).item(), 4) == 0.0268
    assert round(forward_kl(p, logs(0.8, 0.1, 0.1)).item(), 4) == 0.0452
    kl = forward_kl(logs(0.9, 0.1), logs(0.1, 0.9)).item()
    assert kl == pytest.approx(0.8 * math.log(9), rel=1e-15)
    assert kl == pytest.approx(1.75777966, abs=1e-8)
    one, other = logs(1.0, 0.0), logs(0.0, 1.0)
    assert jensen_shannon(one, other).item() == pytest.approx(math.log(2), rel=1e-15)
    assert total_variation(p, logs(0.6, 0.3, 0.1)).item() == pytest.approx(0.1, abs=1e-15)
    assert entropy(logs(0.5, 0.5)).item() == pytest.approx(math.log(2), rel=1e-15)
    assert entropy(one).item() == 0


def test_teacher_first():
    # KL(P||Q) punishes what the student misses, KL(Q||P) what it invents.
    teacher, misses, invents = logs(0.5, 0.5, 0.0), logs(1.0, 0.0, 0.0), logs(0.4, 0.4, 0.2)
    assert forward_kl(teacher, misses) == INF
    assert reverse_kl(teacher, misses).item() == pytest.approx(math.log(2))
    assert forward_kl(teacher, invents).item() == pytest.approx(math.log(1.25))
    assert reverse_kl(teacher, invents) == INF


@pytest.mark.parametrize("seed", range(5))
def test_the_references_agree_with_scipy(seed):
    log_p, log_q = random_logs(2, 6, seed=seed).numpy()
    p, q = np.exp(log_p), np.exp(log_q)
    from_scipy = {
        oracles.entropy(log_p): scipy.special.entr(p).sum(),
        oracles.cross_entropy(log_p, log_q): scipy.stats.entropy(p, q) + scipy.stats.entropy(p),
        oracles.forward_kl(log_p, log_q): scipy.special.rel_entr(p, q).sum(),
        oracles.reverse_kl(log_p, log_q): scipy.special.rel_entr(q, p).sum(),
        oracles.jensen_shannon(log_p, log_q): scipy.spatial.distance.jensenshannon(p, q) ** 2,
        oracles.total_variation(log_p, log_q): scipy.spatial.distance.cityblock(p, q) / 2,
        oracles.alpha_beta(log_p, log_q, alpha=1, beta=0): scipy.special.kl_div(p, q).sum(),
    }
    assert list(from_scipy) == pytest.approx(list(from_scipy.values()), rel=1e-11)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@every_case
def test_values_on_random_rows(case, dtype):
    log_p, log_q = random_logs(2, 4, 7, seed=1).to(dtype)
    expected = [case.reference(*rows) for rows in zip(log_p, log_q, strict=True)]
    # The reference reads the same rounded inputs, so bfloat16 is held to float32's accuracy.
    rel = 1e-12 if dtype == torch.float64 else 1e-5
    assert case(log_p, log_q).tolist() == pytest.approx(expected, rel=rel, abs=0)


def test_adaptive_kl_by_hand():
    # The head is {0}: its mass is 0.5 exactly. Gaps 0.1 in the head, 0.3 in the tail.
    log_p, log_q = logs(0.5, 0.25, 0.25), logs(0.6, 0.05, 0.35)
    forward, reverse = forward_kl(log_p, log_q), reverse_kl(log_p, log_q)
    assert_close(adaptive_kl(log_p, log_q), 0.25 * forward + 0.75 * reverse)
    # Above 0.5 the head takes the first of the tied tokens too: gaps 0.3 and 0.1.
    assert_close(adaptive_kl(log_p, log_q, 0.6), 0.75 * forward + 0.25 * reverse)


def test_adaptive_kl_where_head_and_tail_differ_alike():
    # A head that only loses and a tail that only wins have one gap, 1/4 here: the weight is 1/2.
    log_p = logs(1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 16)
    log_q = logs(1 / 4, 1 / 4, 1 / 8, 1 / 4, 1 / 8)
    forward = (1 / 2 - 2 / 16 - 1 / 16) * math.log(2)
    reverse = (-1 / 4 + 2 / 4 + 1 / 8) * math.log(2)
    expected = (forward + reverse) / 2
    assert adaptive_kl(log_p, log_q).item() == pytest.approx(expected, rel=1e-14)


# ---------------------------------------------------------------- families


def test_families_meet_at_their_ends():
    log_p, log_q = random_logs(2, 5, 6, seed=6)
    forward, reverse = forward_kl(log_p, log_q), reverse_kl(log_p, log_q)
    assert_close(reverse, forward_kl(log_q, log_p), rtol=0, atol=0)
    assert_close(symmetric_kl(log_p, log_q), (forward + reverse) / 2)
    assert_close(skew_kl(log_p, log_q, 0), forward)
    assert_close(skew_reverse_kl(log_p, log_q, 0), reverse)
    assert_close(alpha_beta(log_p, log_q, 1, 0), forward)
    assert_close(alpha_beta(log_p, log_q, 0, 1), reverse)
    assert_close(alpha_beta(log_p, log_q, 0.5, 0.5), 4 * hellinger_squared(log_p, log_q))
    assert_close(adaptive_kl(log_p, log_q, 0), reverse)
    assert_close(generalized_jsd(log_p, log_q, 0.5), jensen_shannon(log_p, log_q))
    assert (skew_kl(log_p, log_q, 1) == 0).all()
    assert (skew_reverse_kl(log_p, log_q, 1) == 0).all()


@pytest.mark.parametrize("beta", [0, 1])
def test_generalized_jsd_is_zero_at_its_ends_and_continuous(beta):
    near = abs(beta - 1e-6)
    log_p, log_q = logs(0.7, 0.3, 0.0), logs(0.5, 0.0, 0.5)  # both KLs infinite
    assert generalized_jsd(log_p, log_q, beta) == 0
    # -e log e, the size of the terms at a distance e = 1e-6 from an end, is 1.4e-5.
    assert 0 < generalized_jsd(log_p, log_q, near) < 2e-5
    # Divided by the vanishing weight, it tends to the KL to which other libraries jump.
    log_p, log_q = random_logs(2, 6, seed=8)
    limit = reverse_kl(log_p, log_q) if beta else forward_kl(log_p, log_q)
    assert_close(generalized_jsd(log_p, log_q, near) / 1e-6, limit, rtol=1e-3, atol=0)


@pytest.mark.parametrize("limit", [(1, 0), (0, 1), (0, 0), (0.5, -0.5), (-0.5, 0.5), (0.7, 0)])
def test_alpha_beta_is_continuous_at_its_limits(limit):
    log_p, log_q = random_logs(2, 3, 6, seed=10)
    at_limit = alpha_beta(log_p, log_q, *limit)
    for step in (1e-5, 1e-9, 1e-19, 1e-25, 1e-300):
        nearby = alpha_beta(log_p, log_q, limit[0] + step, limit[1] + step)
        # The logs of these rows stay above -10: a step moves a term by some ten times itself.
        assert_close(nearby, at_limit, rtol=100 * step + 1e-12, atol=0)
