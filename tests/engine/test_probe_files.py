"""The files of probes hold what was recorded, from the beginning or from where a checkpoint left them."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from dlx.engine.probe_files import ProbeFiles
from dlx.engine.probes import ProbeResults, Probes
from dlx.run.probes import STEPS, read_images, read_logits, read_steps


def outputs(epoch):
    return torch.full((22, 3), float(epoch))


def results(epoch, *, logits=False):
    return ProbeResults({}, {STEPS: [(epoch, epoch / 4)]}, outputs(epoch) if logits else None)


def test_tables_and_logits_go_on_from_a_state(make_run, tmp_path):
    run = make_run()
    files = ProbeFiles(tmp_path, run)
    assert list(tmp_path.iterdir()) == []
    files.append(1, results(1, logits=True))
    files.append(2, results(2))
    state = files.state()
    assert list(state["tables"]) == [STEPS]
    assert json.loads(json.dumps(state["tables"])) == state["tables"], "plain values"
    files.append(3, results(9))  # what the state does not know of
    files = ProbeFiles(tmp_path, run, state)
    files.append(3, results(3, logits=True))
    files.end()
    steps = read_steps(tmp_path)
    assert (steps["step"].tolist(), steps["loss"].tolist()) == ([1, 2, 3], [0.25, 0.5, 0.75])
    logits = read_logits(tmp_path)
    assert logits.epochs.tolist() == [1, 3]
    np.testing.assert_array_equal(logits.outputs, np.stack([outputs(1), outputs(3)]))
    assert logits.labels.tolist() == run.data.train.labels.tolist()


def test_without_logits_there_is_no_file(make_run, tmp_path):
    files = ProbeFiles(tmp_path, make_run())
    files.append(1, results(1))
    files.end()
    assert read_logits(tmp_path) is None


@pytest.mark.parametrize("again", [False, True])
def test_images_are_written_before_the_first_epoch_only(make_run, tmp_path, again):
    run = make_run()
    pixels = torch.rand(22, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    data = replace(run.data, train=replace(run.data.train, inputs=pixels))
    run = replace(run, data=data, probes=Probes(images=5))
    ProbeFiles(tmp_path, run, {"tables": {}, "logits": {}} if again else None)
    images = read_images(tmp_path)
    assert images is None if again else images.before.shape == (5, 1, 4, 4)
