"""Chapter 12: what an untuned rate costs, over five trainings."""

import pytest
from rivals.headlines import headline

from kdlib.claims.record import shipped
from kdlib.claims.registry import claim
from kdlib.claims.rules import interval

UNTUNED, TUNED = "0.003", "0.012"  # the first rate of the temperatures' sweep, and the best


@headline(
    12,
    "An untuned rate can cost an arm all of its lead, and one training of a sweep is no verdict.",
)
@pytest.mark.slow
def test_12_2_an_untuned_teacher_in_fresh_trainings():
    """Rival: the sweep's order holds, and softening is ahead of an untuned teacher."""
    record = shipped("temperature")
    in_the_sweep = record["tuning"]["T = 1"][UNTUNED] - record["tuning"]["T = 2"][TUNED]
    assert in_the_sweep > 0.1  # where softening is ahead
    softened, tuned = (record["numbers"][arm]["loss"] for arm in ("T = 2", "T = 1"))
    plain = claim("temperature").arms["T = 1"]
    untuned = [plain.train(float(UNTUNED), seed, False)["loss"] for seed in record["seeds"]]
    lead = interval([a - b for a, b in zip(softened, tuned)])
    unfair = interval([a - b for a, b in zip(softened, untuned)])
    assert lead.low > 0.2 and abs(unfair.value) < 0.1  # the lead is gone,
    assert abs(unfair.value) < in_the_sweep - 0.02  # and there is none the other way
