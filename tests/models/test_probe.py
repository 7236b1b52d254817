"""The tokens on which a model is tried are tokens that it has."""

import pytest

from kdlib.models.probe import probe_ids


@pytest.mark.parametrize(
    ("slots", "expected"),
    [(3, [0, 1, 2, 0, 1, 2, 0, 1]), (50_000, [0, 1, 2, 3, 4, 5, 6, 7])],
)
def test_every_probe_token_has_a_slot(slots, expected):
    assert probe_ids(slots).tolist() == [expected]
