"""Chapter 12: one step beyond the edge of a sweep, where an arm chose its first or last rate."""

import pytest

from kdlib.claims.record import shipped
from kdlib.claims.registry import claim


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "arm", "beyond", "at_most"),
    [
        ("sampled-targets", "likeliest", 0.003, -0.05),
        ("temperature", "T = 0.5", 0.048, -0.05),
        ("crossover", "alone 24", 0.0015, -0.05),
    ],
)
def test_12_2_one_step_beyond_the_edge(name, arm, beyond, at_most):
    """Rival: an arm that stopped at the edge of its sweep is behind for that reason alone."""
    record, asked = shipped(name), claim(name)
    (seed,) = asked.tuning_seeds
    further = asked.arms[arm].train(beyond, seed, False)["validation"]
    gained = min(record["tuning"][arm].values()) - further
    assert gained < at_most
