"""Faults: each test that survives one notes it, and the run's end lists them (see ../conftest.py)."""

import pytest


@pytest.fixture
def survived(record_property):
    """Call with what was done and what was seen, once it has been asserted."""
    return lambda fault, outcome: record_property("fault", (fault, outcome))
