"""The paired t test against scipy's, and where it says nothing."""

import numpy as np
import pytest
from scipy import stats

from dlx.statistics.student import student_ps


def test_it_is_scipys_and_nan_is_no_pair():
    rows = np.random.default_rng(0).normal(0.5, 1, (6, 9))
    rows[2, 4:] = np.nan
    expected = [stats.ttest_1samp(row[~np.isnan(row)], 0).pvalue for row in rows]
    np.testing.assert_allclose(student_ps(rows), expected, rtol=1e-10)


def test_it_is_students_own_example():
    # Extra sleep of ten patients under two drugs (Student 1908): t = 4.0621, p = 0.002833.
    differences = np.array([[1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4]])
    assert student_ps(differences)[0] == pytest.approx(0.002833, abs=5e-7)


def test_equal_differences_and_two_pairs_say_nothing():
    rows = np.array([[0.1, 0.1, 0.1, 0.1], [0.1, 0.2, np.nan, np.nan], [np.nan] * 4])
    assert (student_ps(rows) == 1.0).all()
    assert student_ps(np.zeros((0, 5))).shape == (0,)
