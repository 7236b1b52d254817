"""How property tests run here: few examples, the same ones every time."""

from hypothesis import given, settings


def property_test(**strategies):
    fixed = settings(max_examples=30, deadline=None, derandomize=True, database=None)
    return lambda test: fixed(given(**strategies)(test))
