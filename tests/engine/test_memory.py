"""The estimate of a cohort's memory, against what is allocated."""

import torch

from dlx.engine.layers import LayerFacts
from dlx.engine.memory import bytes_as_member, bytes_of_data, free_bytes


def test_parameters_count_four_times_and_activations_three(make_run):
    layers = (LayerFacts("hidden", "Linear", (8,), 48), LayerFacts("odd", "Own", None, 0))
    run = make_run(layers=layers)
    parameters = (5 * 8 + 8) + (8 * 3 + 3)
    assert bytes_as_member(run) == 4 * (4 * parameters + 3 * 4 * (5 + 8))
    assert bytes_of_data(run) == 40 * (5 * 4 + 8)


def test_what_is_free_is_some_of_the_machines_memory():
    assert 0 < free_bytes(torch.device("cpu")) < 2**50
