"""Divergences against 50-digit references, at zeros, near equality, and backwards."""

import math
from typing import NamedTuple

import numpy as np
import oracles
import pytest
import scipy.spatial.distance
import scipy.special
import scipy.stats
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch.autograd import gradcheck
from torch.testing import assert_close

from kdlib import divergences as dv

INF = math.inf


class Case(NamedTuple):
    """A divergence with its parameters, and the reference for it."""

    name: str
    parameters: dict

    def __call__(self, log_p, log_q):
        return dv.get_divergence(self.name, **self.parameters)(log_p, log_q)

    def of_logits(self, x, y):
        return self(x.log_softmax(-1), y.log_softmax(-1))

    def reference(self, log_p, log_q):
        return getattr(oracles, self.name)(log_p, log_q, **self.parameters)

    def __str__(self):
        return " ".join([self.name, *(f"{k}={v}" for k, v in self.parameters.items())])


CASES = [
    Case("forward_kl", {}),
    Case("reverse_kl", {}),
    Case("symmetric_kl", {}),
    Case("jensen_shannon", {}),
    Case("generalized_jsd", {"beta": 0.1}),
    Case("generalized_jsd", {"beta": 0.9999}),
    Case("skew_kl", {"alpha": 0.1}),
    Case("skew_kl", {"alpha": 0.0}),
    Case("skew_kl", {"alpha": 1e-9}),
    Case("skew_kl", {"alpha": 1e-30}),
    Case("skew_reverse_kl", {"alpha": 0.3}),
    Case("alpha_beta", {"alpha": 0.2, "beta": 0.7}),
    Case("alpha_beta", {"alpha": 1.0, "beta": 0.0}),
    Case("alpha_beta", {"alpha": 0.0, "beta": 1.0}),
    Case("alpha_beta", {"alpha": 0.0, "beta": 0.0}),
    Case("alpha_beta", {"alpha": 0.5, "beta": -0.5}),
    Case("alpha_beta", {"alpha": -0.5, "beta": 1.5}),
    Case("alpha_beta", {"alpha": 2.0, "beta": -0.75}),
    Case("alpha_beta", {"alpha": 1e-4, "beta": 1e-4}),
    Case("alpha_beta", {"alpha": 1.0, "beta": 1e-4}),
    Case("alpha_beta", {"alpha": 1e-4, "beta": 1.0}),
    Case("total_variation", {}),
    Case("hellinger_squared", {}),
    Case("adaptive_kl", {}),
    Case("adaptive_kl", {"mu": 0.8}),
]
every_case = pytest.mark.parametrize("case", CASES, ids=str)

ZEROS = [  # one pair for each pattern of zeros
    ([0.5, 0.5, 0.0], [0.2, 0.8, 0.0]),  # a slot of neither
    ([0.7, 0.2, 0.1], [0.6, 0.4, 0.0]),  # Q = 0 < P
    ([0.7, 0.3, 0.0], [0.5, 0.4, 0.1]),  # P = 0 < Q
    ([0.0, 0.7, 0.3, 0.0], [0.6, 0.0, 0.4, 0.0]),  # all of it
    ([1.0, 0.0], [0.0, 1.0]),  # nothing in common
    ([1.0, 0.0, 0.0], [1.0, 0.0, 0.0]),  # one-hot, equal
]
every_zero = pytest.mark.parametrize("zeros", ZEROS, ids=str)


def logs(*probabilities):
    return torch.tensor(probabilities, dtype=torch.float64).log()


def random_logs(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return (2 * torch.randn(*shape, generator=generator, dtype=torch.float64)).log_softmax(-1)


# ---------------------------------------------------------------- values


def test_the_examples_of_the_book():
    p = logs(0.7, 0.2, 0.1)
    assert round(dv.forward_kl(p, logs(0.6, 0.3, 0.1)).item(), 4) == 0.0268
    assert round(dv.forward_kl(p, logs(0.8, 0.1, 0.1)).item(), 4) == 0.0452
    kl = dv.forward_kl(logs(0.9, 0.1), logs(0.1, 0.9)).item()
    assert kl == pytest.approx(0.8 * math.log(9), rel=1e-15)
    assert kl == pytest.approx(1.75777966, abs=1e-8)
    one, other = logs(1.0, 0.0), logs(0.0, 1.0)
    assert dv.jensen_shannon(one, other).item() == pytest.approx(math.log(2), rel=1e-15)
    assert dv.total_variation(p, logs(0.6, 0.3, 0.1)).item() == pytest.approx(0.1, abs=1e-15)
    assert dv.entropy(logs(0.5, 0.5)).item() == pytest.approx(math.log(2), rel=1e-15)
    assert dv.entropy(one).item() == 0


def test_teacher_first():
    # KL(P||Q) punishes what the student misses, KL(Q||P) what it invents.
    teacher, misses, invents = logs(0.5, 0.5, 0.0), logs(1.0, 0.0, 0.0), logs(0.4, 0.4, 0.2)
    assert dv.forward_kl(teacher, misses) == INF
    assert dv.reverse_kl(teacher, misses).item() == pytest.approx(math.log(2))
    assert dv.forward_kl(teacher, invents).item() == pytest.approx(math.log(1.25))
    assert dv.reverse_kl(teacher, invents) == INF


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
    assert case(log_p, log_q).tolist() == pytest.approx(expected, rel=rel)


@every_zero
@every_case
def test_values_at_zeros(case, zeros):
    log_p, log_q = logs(*zeros[0]), logs(*zeros[1])
    assert case(log_p, log_q).item() == pytest.approx(case.reference(log_p, log_q), rel=1e-12)


@every_zero
def test_entropy_and_cross_entropy_at_zeros(zeros):
    log_p, log_q = logs(*zeros[0]), logs(*zeros[1])
    assert dv.entropy(log_p).item() == pytest.approx(oracles.entropy(log_p), rel=1e-12)
    expected = oracles.cross_entropy(log_p, log_q)
    assert dv.cross_entropy(log_p, log_q).item() == pytest.approx(expected, rel=1e-12)


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
        assert case(log_p, log_q).item() == pytest.approx(expected, rel=rel)


@pytest.mark.parametrize("size", [1e-2, 1e-3, 1e-4])
@every_case
def test_small_divergences_in_float32(case, size):
    log_p = random_logs(5, seed=4)
    log_q = (log_p + size * random_logs(5, seed=5)).log_softmax(-1)
    log_p, log_q = log_p.float(), log_q.float()
    # The terms have the size of eps * size, their sum that of size^2: the relative error is
    # eps / size times a constant, for which 8 leaves room.
    rel = 8 * torch.finfo(torch.float32).eps / size
    assert case(log_p, log_q).item() == pytest.approx(case.reference(log_p, log_q), rel=rel)


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


def test_families_meet_at_their_ends():
    log_p, log_q = random_logs(2, 5, 6, seed=6)
    forward, reverse = dv.forward_kl(log_p, log_q), dv.reverse_kl(log_p, log_q)
    assert_close(reverse, dv.forward_kl(log_q, log_p), rtol=0, atol=0)
    assert_close(dv.symmetric_kl(log_p, log_q), (forward + reverse) / 2)
    assert_close(dv.skew_kl(log_p, log_q, 0), forward)
    assert_close(dv.skew_reverse_kl(log_p, log_q, 0), reverse)
    assert_close(dv.alpha_beta(log_p, log_q, 1, 0), forward)
    assert_close(dv.alpha_beta(log_p, log_q, 0, 1), reverse)
    assert_close(dv.alpha_beta(log_p, log_q, 0.5, 0.5), 4 * dv.hellinger_squared(log_p, log_q))
    assert_close(dv.adaptive_kl(log_p, log_q, 0), reverse)
    assert_close(dv.generalized_jsd(log_p, log_q, 0.5), dv.jensen_shannon(log_p, log_q))
    assert (dv.skew_kl(log_p, log_q, 1) == 0).all()
    assert (dv.skew_reverse_kl(log_p, log_q, 1) == 0).all()


@pytest.mark.parametrize("beta", [0, 1])
def test_generalized_jsd_is_zero_at_its_ends_and_continuous(beta):
    near = abs(beta - 1e-6)
    log_p, log_q = logs(0.7, 0.3, 0.0), logs(0.5, 0.0, 0.5)  # both KLs infinite
    assert dv.generalized_jsd(log_p, log_q, beta) == 0
    # -e log e, the size of the terms at a distance e = 1e-6 from an end, is 1.4e-5.
    assert 0 < dv.generalized_jsd(log_p, log_q, near) < 2e-5
    # Divided by the vanishing weight, it tends to the KL to which other libraries jump.
    log_p, log_q = random_logs(2, 6, seed=8)
    limit = dv.reverse_kl(log_p, log_q) if beta else dv.forward_kl(log_p, log_q)
    assert_close(dv.generalized_jsd(log_p, log_q, near) / 1e-6, limit, rtol=1e-3, atol=0)


@pytest.mark.parametrize("limit", [(1, 0), (0, 1), (0, 0), (0.5, -0.5), (-0.5, 0.5), (0.7, 0)])
def test_alpha_beta_is_continuous_at_its_limits(limit):
    log_p, log_q = random_logs(2, 3, 6, seed=10)
    at_limit = dv.alpha_beta(log_p, log_q, *limit)
    for step in (1e-5, 1e-9, 1e-19, 1e-25, 1e-300):
        nearby = dv.alpha_beta(log_p, log_q, limit[0] + step, limit[1] + step)
        # The logs of these rows stay above -10: a step moves a term by some ten times itself.
        assert_close(nearby, at_limit, rtol=100 * step + 1e-12, atol=0)


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
        got = dv.alpha_beta(log_p, log_q, alpha, beta).item()
        assert got == pytest.approx(expected, rel=rel)


def test_adaptive_kl_by_hand():
    # The head is {0}: its mass is 0.5 exactly. Gaps 0.1 in the head, 0.3 in the tail.
    log_p, log_q = logs(0.5, 0.25, 0.25), logs(0.6, 0.05, 0.35)
    forward, reverse = dv.forward_kl(log_p, log_q), dv.reverse_kl(log_p, log_q)
    assert_close(dv.adaptive_kl(log_p, log_q), 0.25 * forward + 0.75 * reverse)
    # Above 0.5 the head takes the first of the tied tokens too: gaps 0.3 and 0.1.
    assert_close(dv.adaptive_kl(log_p, log_q, 0.6), 0.75 * forward + 0.25 * reverse)


def test_adaptive_kl_drops_a_kl_of_weight_zero_even_if_infinite():
    log_p = logs(0.6, 0.3, 0.1)
    equal_in_the_head = logs(0.6, 0.4, 0.0)
    assert dv.forward_kl(log_p, equal_in_the_head) == INF
    assert_close(dv.adaptive_kl(log_p, equal_in_the_head), dv.reverse_kl(log_p, equal_in_the_head))
    log_p = logs(0.6, 0.4, 0.0)
    equal_in_the_tail = logs(0.5, 0.5, 0.0)
    equal_in_the_tail[2] = -1000  # a gap that underflows
    assert dv.reverse_kl(log_p, equal_in_the_tail) == INF
    forward = dv.forward_kl(log_p, equal_in_the_tail)
    assert_close(dv.adaptive_kl(log_p, equal_in_the_tail, 0.8), forward)


# ---------------------------------------------------------------- gradients


@pytest.mark.parametrize("case", [c for c in CASES if c.name != "adaptive_kl"], ids=str)
def test_gradients_are_those_of_finite_differences(case):
    x, y = random_logs(2, 2, 4, seed=12)
    assert gradcheck(case.of_logits, (x.requires_grad_(), y.requires_grad_()))


def test_adaptive_kl_weights_pass_no_gradient():
    log_p, log_q = random_logs(5, seed=14), random_logs(5, seed=15).requires_grad_()
    w = oracles.adaptive_kl_weight(log_p, log_q.detach())
    assert 0.1 < w < 0.9
    fixed = w * dv.forward_kl(log_p, log_q) + (1 - w) * dv.reverse_kl(log_p, log_q)
    (expected,) = torch.autograd.grad(fixed, log_q)
    (got,) = torch.autograd.grad(dv.adaptive_kl(log_p, log_q), log_q)
    assert_close(got, expected)


@pytest.mark.parametrize(
    "case",
    [
        Case("jensen_shannon", {}),
        Case("generalized_jsd", {"beta": 0.3}),
        Case("skew_kl", {"alpha": 0.1}),
        Case("skew_reverse_kl", {"alpha": 0.1}),
        Case("alpha_beta", {"alpha": 0.4, "beta": 0.3}),
        Case("total_variation", {}),
        Case("hellinger_squared", {}),
    ],
    ids=str,
)
def test_gradients_of_what_stays_finite_where_slots_are_closed(case):
    # Slots 0, 4 and 5 are open to both, 1 to P alone, 2 to Q alone, 3 to none.
    closed_p = torch.tensor([0, 0, -INF, -INF, 0, 0])
    closed_q = torch.tensor([0, -INF, 0, -INF, 0, 0])
    x, y = random_logs(2, 6, seed=16)
    assert gradcheck(
        lambda x, y: case.of_logits(x + closed_p, y + closed_q),
        (x.requires_grad_(), y.requires_grad_()),
    )


@every_zero
@every_case
def test_every_gradient_is_finite_at_zeros(case, zeros):
    for function in (case, case.of_logits):
        x, y = logs(*zeros[0]).requires_grad_(), logs(*zeros[1]).requires_grad_()
        function(x, y).backward()
        assert x.grad.isfinite().all()
        assert y.grad.isfinite().all()


def test_an_infinite_slot_passes_no_gradient():
    log_p, log_q = logs(0.5, 0.3, 0.2), logs(0.4, 0.6, 0.0).requires_grad_()
    dv.forward_kl(log_p, log_q).backward()
    assert_close(log_q.grad, torch.tensor([-0.5, -0.3, 0.0], dtype=torch.float64))


def test_gradient_of_forward_kl_is_student_minus_teacher():
    x, y = random_logs(3, 5, seed=21), random_logs(3, 5, seed=22).requires_grad_()
    Case("forward_kl", {}).of_logits(x, y).sum().backward()
    assert_close(y.grad, y.detach().softmax(-1) - x.softmax(-1))


@every_case
def test_gradient_vanishes_where_student_equals_teacher(case):
    x = random_logs(6, seed=18)
    y = x.clone().requires_grad_()
    case.of_logits(x, y).backward()
    assert y.grad.abs().max() < 1e-15


@every_case
def test_gradients_in_float32(case):
    # A gradient of size 1e-3 made of terms of size 1, each rounded by 1e-7.
    x, y = random_logs(2, 6, seed=19).float()
    y = x + 1e-3 * y
    exact, rounded = y.double().requires_grad_(), y.requires_grad_()
    case.of_logits(x.double(), exact).backward()
    case.of_logits(x, rounded).backward()
    assert_close(rounded.grad.double(), exact.grad, rtol=1e-3, atol=1e-6)


# ---------------------------------------------------------------- properties


def property_test(**strategies):
    fixed = settings(max_examples=30, deadline=None, derandomize=True, database=None)
    return lambda test: fixed(given(**strategies)(test))


@st.composite
def pairs(draw):
    """Two rows of logits over one vocabulary of 1 to 6, zeros included, a token left in each."""
    size = draw(st.integers(1, 6))
    row = st.lists(st.floats(-20, 20) | st.just(-INF), min_size=size, max_size=size)
    drawn = draw(st.tuples(row, row))
    assume(all(max(row) > -INF for row in drawn))
    return torch.tensor(drawn, dtype=torch.float64)


@every_case
@property_test(logits=pairs())
def test_never_negative_and_zero_only_at_equality(case, logits):
    value = case.of_logits(*logits)
    # A sum of a few terms of size 1 is rounded by some 1e-15.
    assert value >= -1e-14
    p, q = logits.softmax(-1)
    gap = (p - q).abs().max()
    # Pinsker's bound is 2 gap^2; beta = 0.9999 weakens it by 1e-4.
    if gap > 1e-3:
        assert value > 1e-4 * gap**2


@every_case
@property_test(logits=pairs(), shift=st.floats(-50, 50), seed=st.integers(0, 9))
def test_shifted_logits_and_permuted_vocabulary_change_nothing(case, logits, shift, seed):
    if case.name == "adaptive_kl":  # which breaks ties by index
        assume(logits[0].unique().numel() == logits[0].numel())
    value = case.of_logits(*logits)
    # A shift by 50 rounds the logits by 7e-15; a log-ratio is at most 40.
    shifted = case.of_logits(logits[0] + shift, logits[1] - shift)
    assert_close(shifted, value, rtol=1e-10, atol=1e-12)
    order = torch.randperm(logits.shape[-1], generator=torch.Generator().manual_seed(seed))
    assert_close(case.of_logits(*logits[:, order]), value, rtol=1e-10, atol=1e-12)


@property_test(logits=pairs())
def test_cross_entropy_is_kl_plus_entropy_with_the_same_gradient(logits):
    log_p, log_q = logits.log_softmax(-1)
    log_q.requires_grad_()
    cross_entropy, kl = dv.cross_entropy(log_p, log_q), dv.forward_kl(log_p, log_q)
    assert_close(cross_entropy, kl + dv.entropy(log_p))
    (of_cross_entropy,) = torch.autograd.grad(cross_entropy, log_q)
    (of_kl,) = torch.autograd.grad(kl, log_q)
    assert_close(of_cross_entropy, of_kl, rtol=0, atol=0)


@property_test(logits=pairs())
def test_jensen_shannon_is_symmetric_and_bounded(logits):
    log_p, log_q = logits.log_softmax(-1)
    value = dv.jensen_shannon(log_p, log_q)
    assert value == dv.jensen_shannon(log_q, log_p)
    assert value <= math.log(2) + 1e-15
    assert value <= dv.total_variation(log_p, log_q) * math.log(2) + 1e-15  # Lin 1991


@property_test(logits=pairs())
def test_pinsker_and_hellinger_bounds(logits):
    log_p, log_q = logits.log_softmax(-1)
    variation, hellinger = dv.total_variation(log_p, log_q), dv.hellinger_squared(log_p, log_q)
    assert 2 * variation**2 <= dv.forward_kl(log_p, log_q) + 1e-14
    assert 2 * hellinger <= dv.forward_kl(log_p, log_q) + 1e-14
    assert hellinger <= variation + 1e-15
    assert variation**2 <= 2 * hellinger + 1e-15


@property_test(logits=pairs(), alphas=st.tuples(st.floats(0, 1), st.floats(0, 1)))
def test_skew_falls_with_alpha_and_is_bounded(logits, alphas):
    log_p, log_q = logits.log_softmax(-1)
    low, high = sorted(alphas)
    for skew in (dv.skew_kl, dv.skew_reverse_kl):
        assert skew(log_p, log_q, high) <= skew(log_p, log_q, low) + 1e-14
        if low > 0:
            assert skew(log_p, log_q, low) <= -math.log(low) + 1e-14
    assert dv.skew_reverse_kl(log_p, log_q, low) == dv.skew_kl(log_q, log_p, low)


@property_test(logits=pairs(), alpha=st.floats(-2, 3), beta=st.floats(-2, 3))
def test_alpha_beta_anywhere(logits, alpha, beta):
    assume(alpha + beta >= 0)
    # Nearer to a limit 50 digits are too few; the test of continuity is there.
    assume(all(x == 0 or abs(x) > 1e-15 for x in (alpha, beta, alpha + beta)))
    log_p, log_q = logits.log_softmax(-1)
    expected = oracles.alpha_beta(log_p, log_q, alpha=alpha, beta=beta)
    got = dv.alpha_beta(log_p, log_q, alpha, beta).item()
    assert got == pytest.approx(expected, rel=1e-9, abs=1e-14)


# ---------------------------------------------------------------- shapes, dtypes, errors


@every_case
def test_leading_dimensions_broadcast_and_may_be_empty(case):
    log_p, log_q = random_logs(3, 1, 5, seed=23), random_logs(2, 5, seed=24)
    got = case(log_p, log_q)
    assert got.shape == (3, 2)
    assert_close(got[2, 1], case(log_p[2, 0], log_q[1]))
    assert case(torch.zeros(0, 4, 5), torch.zeros(4, 5)).shape == (0, 4)
    assert dv.entropy(log_p).shape == (3, 1)


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


@every_case
def test_nan_is_not_hidden(case):
    log_p, log_q = logs(0.5, 0.5), torch.tensor([math.nan, -1.0])
    assert case(log_p, log_q).isnan()
    assert case(log_q, log_p).isnan()


@pytest.mark.parametrize(
    ("log_p", "log_q", "error", "message"),
    [
        ([0.0], torch.zeros(1), TypeError, "^log_p must be a floating-point tensor .* got list"),
        (torch.zeros(1), torch.ones(1).int(), TypeError, "^log_q must be .* got torch.int32"),
        (torch.tensor(0.0), torch.zeros(1), ValueError, r"^log_p must be \(..., V\) .* got \(\)"),
        (torch.zeros(2, 0), torch.zeros(2, 0), ValueError, r"^log_p must .* V >= 1, got \(2, 0\)"),
        (
            torch.zeros(2, 3),
            torch.zeros(2, 1),
            ValueError,
            r"equal, got log_p \(2, 3\) .* \(2, 1\)$",
        ),
        (
            torch.zeros(2, 3),
            torch.zeros(4, 3),
            ValueError,
            r"cast, got log_p \(2, 3\) .* \(4, 3\)$",
        ),
    ],
)
def test_unusable_inputs(log_p, log_q, error, message):
    for function in (dv.forward_kl, dv.total_variation, dv.hellinger_squared, dv.adaptive_kl):
        with pytest.raises(error, match=message):
            function(log_p, log_q)
    for function in (*CASES, dv.cross_entropy):
        with pytest.raises(error):  # a reversed divergence calls the student log_p
            function(log_p, log_q)


@pytest.mark.parametrize("value", [-0.01, 1.01, math.nan, INF, "0.5", None])
@pytest.mark.parametrize(
    ("function", "parameter"),
    [
        (dv.generalized_jsd, "beta"),
        (dv.skew_kl, "alpha"),
        (dv.skew_reverse_kl, "alpha"),
        (dv.adaptive_kl, "mu"),
    ],
)
def test_parameters_outside_the_unit_interval(function, parameter, value):
    message = rf"^{parameter} must be a number in \[0, 1\], got {value!r}"
    with pytest.raises(ValueError, match=message):
        function(torch.zeros(1), torch.zeros(1), **{parameter: value})


@pytest.mark.parametrize("value", [-100.01, 100.01, math.nan, -INF, "1"])
@pytest.mark.parametrize("parameter", ["alpha", "beta"])
def test_alpha_beta_outside_its_range(parameter, value):
    parameters = {"alpha": 100, "beta": 100} | {parameter: value}
    message = rf"^{parameter} must be a number in \[-100, 100\], got {value!r}"
    with pytest.raises(ValueError, match=message):
        dv.alpha_beta(torch.zeros(1), torch.zeros(1), **parameters)


def test_alpha_beta_refuses_a_negative_sum():
    with pytest.raises(ValueError, match=r"^alpha \+ beta must be at least 0, got 0.5 \+ -0.6"):
        dv.alpha_beta(torch.zeros(1), torch.zeros(1), 0.5, -0.6)


# ---------------------------------------------------------------- registry


def test_every_divergence_is_registered_under_its_own_name_and_tested_here():
    assert {case.name for case in CASES} == set(dv.DIVERGENCES)
    assert all(getattr(dv, name) is function for name, function in dv.DIVERGENCES.items())


def test_lookup_sets_the_parameters():
    log_p, log_q = random_logs(2, 4, seed=25)
    got = dv.get_divergence("alpha_beta", alpha=0.2, beta=0.7)(log_p, log_q)
    assert got == dv.alpha_beta(log_p, log_q, alpha=0.2, beta=0.7)
    assert got != dv.alpha_beta(log_p, log_q, alpha=0.7, beta=0.2)


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("kl", {}, "^divergence must be one of forward_kl, reverse_kl, .*, got 'kl'"),
        ("skew_kl", {}, r"^skew_kl\(\) missing .* 'alpha'; its parameters: alpha$"),
        ("skew_kl", {"beta": 0.1}, r"^skew_kl\(\) .* 'beta'; its parameters: alpha$"),
        ("forward_kl", {"alpha": 0.1}, r"^forward_kl\(\) .* 'alpha'; its parameters: none$"),
        ("alpha_beta", {"alpha": 0.1}, r"missing .* 'beta'; its parameters: alpha, beta$"),
        ("skew_kl", {"alpha": 2}, r"alpha must be a number in \[0, 1\], got 2"),
    ],
)
def test_lookup_refuses_what_it_cannot_use(name, parameters, message):
    with pytest.raises(ValueError, match=message):
        dv.get_divergence(name, **parameters)
