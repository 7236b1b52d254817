"""The divergences with the parameters under test, and the distributions they are tested on."""

import math
from typing import NamedTuple

import oracles
import pytest
import torch

from kdlib.losses.divergences import get_divergence

INF = math.inf


class Case(NamedTuple):
    """A divergence with its parameters, and the reference for it."""

    name: str
    parameters: dict

    def __call__(self, log_p, log_q):
        return get_divergence(self.name, **self.parameters)(log_p, log_q)

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


def logs(*probabilities):
    return torch.tensor(probabilities, dtype=torch.float64).log()


def random_logs(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return (2 * torch.randn(*shape, generator=generator, dtype=torch.float64)).log_softmax(-1)
