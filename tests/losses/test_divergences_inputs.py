"""What the divergences accept and refuse, and how they are looked up by name."""

import math

import pytest
import torch
from divergence_cases import CASES, INF, every_case, random_logs
from torch.testing import assert_close

from kdlib.losses import divergences


@every_case
def test_leading_dimensions_broadcast_and_may_be_empty(case):
    log_p, log_q = random_logs(3, 1, 5, seed=23), random_logs(2, 5, seed=24)
    got = case(log_p, log_q)
    assert got.shape == (3, 2)
    assert_close(got[2, 1], case(log_p[2, 0], log_q[1]))
    assert case(torch.zeros(0, 4, 5), torch.zeros(4, 5)).shape == (0, 4)
    assert divergences.entropy(log_p).shape == (3, 1)


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
            r"^the last dim.* equal, got log_p \(2, 3\) .* \(2, 1\)$",
        ),
        (
            torch.zeros(2, 3),
            torch.zeros(4, 3),
            ValueError,
            r"^the leading dim.* broadcast, got log_p \(2, 3\) .* \(4, 3\)$",
        ),
    ],
)
def test_unusable_inputs(log_p, log_q, error, message):
    for function in (
        divergences.forward_kl,
        divergences.total_variation,
        divergences.hellinger_squared,
        divergences.adaptive_kl,
    ):
        with pytest.raises(error, match=message):
            function(log_p, log_q)
    for function in (*CASES, divergences.cross_entropy):
        with pytest.raises(error):  # a reversed divergence calls the student log_p
            function(log_p, log_q)


@pytest.mark.parametrize("value", [-0.01, 1.01, math.nan, INF, "0.5", None])
@pytest.mark.parametrize(
    ("function", "parameter"),
    [
        (divergences.generalized_jsd, "beta"),
        (divergences.skew_kl, "alpha"),
        (divergences.skew_reverse_kl, "alpha"),
        (divergences.adaptive_kl, "mu"),
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
        divergences.alpha_beta(torch.zeros(1), torch.zeros(1), **parameters)


def test_alpha_beta_refuses_a_negative_sum():
    with pytest.raises(ValueError, match=r"^alpha \+ beta must be at least 0, got 0.5 \+ -0.6"):
        divergences.alpha_beta(torch.zeros(1), torch.zeros(1), 0.5, -0.6)


# ---------------------------------------------------------------- registry


def test_every_divergence_is_registered_under_its_own_name_and_tested_here():
    assert {case.name for case in CASES} == set(divergences.DIVERGENCES)
    assert all(
        getattr(divergences, name) is function for name, function in divergences.DIVERGENCES.items()
    )


def test_lookup_sets_the_parameters():
    log_p, log_q = random_logs(2, 4, seed=25)
    got = divergences.get_divergence("alpha_beta", alpha=0.2, beta=0.7)(log_p, log_q)
    assert got == divergences.alpha_beta(log_p, log_q, alpha=0.2, beta=0.7)
    assert got != divergences.alpha_beta(log_p, log_q, alpha=0.7, beta=0.2)


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("kl", {}, "^divergence must be one of forward_kl, .*, adaptive_kl, got 'kl'$"),
        ("skew_kl", {}, r"^skew_kl\(\) missing .* 'alpha'; its parameters: alpha$"),
        ("skew_kl", {"beta": 0.1}, r"^skew_kl\(\) .* 'beta'; its parameters: alpha$"),
        ("forward_kl", {"alpha": 0.1}, r"^forward_kl\(\) .* 'alpha'; its parameters: none$"),
        ("alpha_beta", {"alpha": 0.1}, r"missing .* 'beta'; its parameters: alpha, beta$"),
        ("skew_kl", {"alpha": 2}, r"alpha must be a number in \[0, 1\], got 2"),
    ],
)
def test_lookup_refuses_what_it_cannot_use(name, parameters, message):
    with pytest.raises(ValueError, match=message):
        divergences.get_divergence(name, **parameters)
