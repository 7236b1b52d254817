"""The environment of one process among several is whole, or refused by name."""

import pytest

from kdlib.errors import UserError
from kdlib.machine.ranks import check_ranks

pytestmark = pytest.mark.door("launchers' environments")

WHOLE = {
    "RANK": "1",
    "LOCAL_RANK": "1",
    "WORLD_SIZE": "2",
    "MASTER_ADDR": "localhost",
    "MASTER_PORT": "29500",
}


@pytest.mark.parametrize("environment", [{}, {"RANK": "0"}, {"WORLD_SIZE": "1"}, WHOLE])
def test_whole_or_alone(environment):
    check_ranks(environment)


@pytest.mark.parametrize("name", WHOLE)
def test_each_part_is_needed(name):
    with pytest.raises(UserError, match=f"no {name}|RANK 1 is not below"):
        check_ranks({other: value for other, value in WHOLE.items() if other != name})


@pytest.mark.parametrize("text", ["", "x", "-1", "1.5"])
def test_numbers_are_numbers(text):
    with pytest.raises(UserError, match="RANK is"):
        check_ranks(WHOLE | {"RANK": text})
