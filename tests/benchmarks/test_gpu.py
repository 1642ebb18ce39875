"""The GPU's section, as far as a machine without one can try it."""

import pytest
import torch

from tests.benchmarks.sections import gpu


def test_an_epochs_seconds_leave_out_the_first(tmp_path):
    run = tmp_path / "outputs" / "study" / "run"
    run.mkdir(parents=True)
    columns = "epoch,step,time,lr,train_loss,train_accuracy,val_loss,val_accuracy"
    times = (0, 10, 11, 13, 16)
    rows = [f"{epoch},{epoch},{seconds},,,,1.0,0.5" for epoch, seconds in enumerate(times)]
    (run / "history.csv").write_text("\n".join([columns, *rows, ""]))
    assert gpu.seconds_an_epoch(tmp_path) == 2


@pytest.mark.parametrize("net", gpu.NETS)
def test_the_limit_repeats_the_passes_of_an_epoch(net, monkeypatch):
    replays, results = [], []

    class Graph:
        def warm_up(self, work):
            results.extend(work())

        def capture(self, work, generators):
            assert not generators

        def replay(self):
            replays.append(1)

    monkeypatch.setattr(gpu, "CudaGraph", Graph)
    monkeypatch.setattr(gpu, "BATCH", 4)
    monkeypatch.setattr(gpu, "IMAGES", 10)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: None)
    assert gpu.limit(net, torch.device("cpu")) > 0
    assert len(replays) == 3
    assert sum(gradient.numel() for gradient in results[1:]) == {"LeNet": 61_706, "ResNet-20": 272_186}[net]
