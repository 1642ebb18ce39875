"""Holm's correction against the textbook's example, and what it holds."""

import numpy as np

from dlx.statistics.holm import holm


def test_the_textbook_example():
    # Four p of 0.01, 0.04, 0.03, 0.005 at level 0.05: the second and third stay (Wikipedia, "Holm-Bonferroni
    # method"; R: p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm")).
    adjusted = holm(np.array([0.01, 0.04, 0.03, 0.005]))
    np.testing.assert_allclose(adjusted, [0.03, 0.06, 0.06, 0.02], rtol=1e-12)


def test_a_later_p_is_never_below_an_earlier_one_and_none_is_above_1():
    np.testing.assert_allclose(holm(np.array([0.02, 0.021, 0.9])), [0.06, 0.06, 0.9], rtol=1e-12)
    assert (holm(np.array([0.6, 0.7])) == 1.0).all()


def test_what_was_not_tested_is_no_member_of_the_family():
    np.testing.assert_allclose(holm(np.array([np.nan, 0.01, 0.04])), [np.nan, 0.02, 0.04], rtol=1e-12)
    assert len(holm(np.array([]))) == 0


def test_a_family_without_differences_finds_one_in_a_twentieth_of_cases():
    p = np.random.default_rng(0).random((4000, 6))
    found = np.mean([holm(row).min() <= 0.05 for row in p])
    assert abs(found - (1 - (1 - 0.05 / 6) ** 6)) < 0.012
