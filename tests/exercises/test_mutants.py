"""Every slip in a reference is noticed by its probes, or known to be no slip."""

import pytest
from mutants import CODE, shown_to_be_right, survivors

EVERY = 4  # all of them take ten minutes

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("e", CODE, ids=lambda e: e.id)
def test_of_every_fourth_mutant_only_those_that_are_right_are_judged_correct(e):
    found, tried = survivors(e, EVERY)
    assert len(tried) > 2
    assert set(found) == shown_to_be_right(e) & set(tried)


@pytest.mark.thorough
@pytest.mark.parametrize("e", CODE, ids=lambda e: e.id)
def test_only_mutants_that_are_right_are_judged_correct(e):
    found, tried = survivors(e)
    assert len(tried) > 10
    assert set(found) == shown_to_be_right(e)
