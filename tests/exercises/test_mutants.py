"""Every slip in a reference is noticed by its probes, or known to be no slip."""

import pytest
from mutants import CODE, shown_to_be_right, survivors

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("e", CODE, ids=lambda e: e.id)
def test_only_mutants_that_are_right_are_judged_correct(e):
    found, number = survivors(e)
    assert number > 10
    assert set(found) == shown_to_be_right(e)
