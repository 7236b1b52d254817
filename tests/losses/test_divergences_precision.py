"""Divergences near equality, at huge logits and in low precision."""

import math

import oracles
import pytest
import scipy.special
import torch
from divergence_cases import CASES, INF, Case, every_case, logs, random_logs
from torch.testing import assert_close

from kdlib.losses.divergences import alpha_beta, skew_kl


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        (torch.float16, torch.float16, torch.float32),
        (torch.bfloat16, torch.float16, torch.float32),
        (torch.bfloat16, torch.float64, torch.float64),
        (torch.float64, torch.float32, torch.float64),
    ],
)
def test_the_result_has_the_better_dtype_and_at_least_float32(left, right, expected):
    for case in CASES:
        assert case(torch.zeros(1, dtype=left), torch.zeros(1, dtype=right)).dtype == expected


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@every_case
def test_equal_distributions_give_exactly_zero(case, dtype):
    rows = random_logs(50, 11, seed=3).to(dtype)
    rows[::2, 3:6] = -INF
    assert (case(rows, rows.clone()) == 0).all()
    assert case(torch.zeros(1, dtype=dtype), torch.zeros(1, dtype=dtype)) == 0  # V = 1


@pytest.mark.parametrize(("dtype", "rel"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
@every_case
def test_huge_logits(case, dtype, rel):
    # Probabilities underflow, their logs do not: Q = 0 under P = e^-10000 is infinite too.
    log_p = torch.tensor([1e4, -1e4, 0.0, 10.0], dtype=dtype).log_softmax(-1)
    log_q = torch.tensor([-1e4, 1e4, 1.0, -10.0], dtype=dtype).log_softmax(-1)
    for dropped in ([], [2]):
        log_q[dropped] = -INF
        expected = case.reference(log_p, log_q)
        if expected > torch.finfo(dtype).max:  # alpha_beta with a negative parameter
            expected = INF
        assert case(log_p, log_q).item() == pytest.approx(expected, rel=rel, abs=0)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize(
    "case", [c for c in CASES if min(c.parameters.values(), default=0) >= 0], ids=str
)
def test_gradients_at_huge_logits(case, dtype):
    # Differences whose exponentials overflow; a negative parameter may take them into the value.
    x = torch.tensor([1e4, -1e4, 0.0, 10.0], dtype=dtype, requires_grad=True)
    y = torch.tensor([-1e4, 1e4, 1.0, -10.0], dtype=dtype, requires_grad=True)
    case.of_logits(x, y).backward()
    assert x.grad.isfinite().all()
    assert y.grad.isfinite().all()


@pytest.mark.parametrize("size", [1e-2, 1e-3, 1e-4])
@every_case
def test_small_divergences_in_float32(case, size):
    log_p = random_logs(5, seed=4)
    log_q = (log_p + size * random_logs(5, seed=5)).log_softmax(-1)
    log_p, log_q = log_p.float(), log_q.float()
    # The terms have the size of eps * size, their sum that of size^2: the relative error is
    # eps / size times a constant, for which 8 leaves room.
    rel = 8 * torch.finfo(torch.float32).eps / size
    assert case(log_p, log_q).item() == pytest.approx(case.reference(log_p, log_q), rel=rel, abs=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_kl_of_a_thousandth_over_a_large_vocabulary(dtype):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(128_000, generator=generator)
    y = x + 0.045 * torch.randn(128_000, generator=generator)
    x, y = x.to(dtype), y.to(dtype)
    p, q = (scipy.special.softmax(logits.double().numpy()) for logits in (x, y))
    kl_div, m = scipy.special.kl_div, (p + q) / 2
    expected = {
        "forward_kl": kl_div(p, q).sum(),
        "reverse_kl": kl_div(q, p).sum(),
        "jensen_shannon": (kl_div(p, m).sum() + kl_div(q, m).sum()) / 2,
        "hellinger_squared": ((p**0.5 - q**0.5) ** 2).sum() / 2,
    }
    assert 0.9e-3 < expected["forward_kl"] < 1.1e-3
    for name, value in expected.items():
        assert Case(name, {}).of_logits(x.float(), y.float()).item() == pytest.approx(
            value, rel=0.01
        )


@pytest.mark.parametrize("log_ratio", [-1, -45, -68, -69, -70, -500])
def test_skew_where_q_is_as_small_as_alpha(log_ratio):
    log_p, log_q = torch.tensor([[math.log(0.5)] * 2, [math.log(0.5) + log_ratio, 0]]).double()
    expected = oracles.skew_kl(log_p, log_q, alpha=1e-30)  # the log of 1e-30 is -69.1
    got = skew_kl(log_p, log_q, 1e-30).item()
    assert got == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize("powers", [(0.2, 0.7), (1, 1), (3, -1), (0.5, -0.5), (1e-4, 1e-4)])
def test_alpha_beta_where_the_power_series_takes_over(powers):
    alpha, beta = powers
    # At the border, eps^(1/5) = 7.4e-4, the series is wrong by 1e-15, its last power counts 1e-11,
    # and the formula beyond is good to eps^(4/5) = 3e-13.
    for gap, rel in [(1e-5, 1e-14), (8e-4, 1e-14), (1e-3, 2e-12), (1e-2, 2e-12)]:
        log_p = logs(0.9, 0.1)  # unequal: else the odd powers cancel
        shift = torch.tensor([0, gap / max(alpha, beta, alpha + beta)])
        log_q = (log_p + shift).log_softmax(-1)  # a log-ratio of 0.9 gap where it counts
        expected = oracles.alpha_beta(log_p, log_q, alpha=alpha, beta=beta)
        got = alpha_beta(log_p, log_q, alpha, beta).item()
        assert got == pytest.approx(expected, rel=rel, abs=0)


@every_case
def test_gradients_in_float32(case):
    # A gradient of size 1e-3 made of terms of size 1, each rounded by 1e-7.
    x, y = random_logs(2, 6, seed=19).float()
    y = x + 1e-3 * y
    exact, rounded = y.double().requires_grad_(), y.requires_grad_()
    case.of_logits(x.double(), exact).backward()
    case.of_logits(x, rounded).backward()
    assert_close(rounded.grad.double(), exact.grad, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("small", [1e-9, 1e-12, 1e-30, 1e-300, 5e-324])
@pytest.mark.parametrize("limit", [(1, 0), (0, 1), (0, 0), (0.5, 0)])
def test_alpha_beta_near_a_limit_is_the_limit_in_float32(limit, small):
    """The factors of its formula overflow there, in float32 long before float64."""
    log_p, log_q = random_logs(2, 50, seed=0).float()
    near = alpha_beta(log_p, log_q, *(value or small for value in limit))
    expected = oracles.alpha_beta(log_p, log_q, alpha=limit[0], beta=limit[1])
    assert near.item() == pytest.approx(expected, rel=1e-4)
