"""The model of what a command costs finds the terms that made its points."""

import pytest

from tests.benchmarks.cost_model import TERMS, CostModel, Work, fit

WORKS = [
    Work(runs=runs, width=width, epochs=epochs)
    for runs in (1, 10, 100)
    for width in (16, 256)
    for epochs in (2, 50)
]


def test_work_counts_the_smaller_last_batch_and_the_products_of_all_layers():
    work = Work(runs=3, width=16, samples=100, epochs=2)
    assert work.steps == 2 * 4
    assert work.multiply_adds == 3 * 2 * 100 * (64 * 16 + 16 * 8 + 8 * 10)
    assert len(work.terms()) == len(TERMS)


def test_the_terms_that_made_the_points_are_found():
    made = CostModel((1.5, 2e-3, 1e-4, 3e-5, 5e-11))
    found = fit(WORKS, [made.predict(work) for work in WORKS])
    assert found.seconds == pytest.approx(made.seconds, rel=1e-6)


def test_a_term_that_would_be_negative_is_left_out():
    made = CostModel((1.5, 2e-3, -1e-4, 2e-4, 0.0))
    found = fit(WORKS, [made.predict(work) for work in WORKS])
    assert min(found.seconds) >= 0
    assert found.seconds[2] == 0
    assert max(abs(found.predict(work) / made.predict(work) - 1) for work in WORKS) < 0.2
