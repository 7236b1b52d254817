"""Quantiles of Student's distribution against printed tables and SciPy."""

import pytest
from scipy import stats

from kdlib.reports.t_quantiles import t_quantile

# Two-sided 95 %, as the tables print it.
TABLE = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 10: 2.228, 30: 2.042, 120: 1.980}


@pytest.mark.parametrize("df", TABLE)
def test_t_quantile_is_that_of_the_printed_tables(df):
    assert t_quantile(df) == pytest.approx(TABLE[df], abs=5e-4)


@pytest.mark.parametrize("df", [1, 1.001, 1.5, 3.16, 29.9, 1e3, 1e6])
def test_t_quantile_between_the_rows_of_a_table(df):
    assert t_quantile(df) == pytest.approx(stats.t.ppf(0.975, df), rel=1e-7)
