"""Cohorts as tasks of Ray: data sets read once, a node that dies, clusters that are not there."""

import gc
import json
import threading
from pathlib import Path

import numpy as np
import pytest
import torch

from dlx.cli import main
from dlx.compose.request import compose_one
from dlx.data import dataset
from dlx.launchers import RaySettings
from dlx.study import plan
from dlx.study.launch.ray import _from_numpy, _places, _to_numpy
from tests.study.contents import files
from tests.study.waiting import epochs, until

GRID = ["seed=range(4)", "model=mlp_bn", "model.width=16", "model.dropout=0.2", "augment.noise=0.1"]
GRID += ["schedule=cosine", "data.train_size=200", "data.val_size=50", "launcher.processes=2"]

# Ray leaves files and processes to the garbage collector.
pytestmark = pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)


@pytest.fixture
def ray():
    """The package, if it is installed; what it left is collected while its warnings are ignored."""
    yield pytest.importorskip("ray")
    gc.collect()


def settings(**changes):
    given = {"name": "ray", "address": "local", "processes": None, "cpus": 1, "gpus": 0, "memory": 0.5}
    return RaySettings.model_validate_json(json.dumps(given | changes))


def test_a_node_has_places_for_as_many_cohorts_as_its_scarcest_resource():
    assert _places({"CPU": 8.0}, settings()) == 8
    assert _places({"CPU": 8.0}, settings(cpus=3)) == 2
    assert _places({"CPU": 8.0, "GPU": 1.0}, settings(gpus=0.25)) == 4
    assert _places({"CPU": 2.0, "GPU": 4.0}, settings(gpus=0.25)) == 2
    assert _places({"CPU": 8.0}, settings(gpus=1)) == 0
    assert _places({"CPU": 1.0}, settings(cpus=2)) == 0


def test_a_data_set_that_was_handed_over_is_not_read_again_and_shares_its_memory(monkeypatch):
    data = compose_one(["data=digits", "data.test_size=10"]).data
    load = {"dtype": torch.float32, "device": torch.device("cpu")}
    own = dataset.load(data, **load)
    sent = _to_numpy(data)
    for pair in sent["arrays"].values():
        for array in pair:
            array.flags.writeable = False  # as Ray gives it
    source = _from_numpy(sent)
    monkeypatch.setattr(dataset.sources, "build", None)
    with dataset.handed_over({dataset.source_key(data): source}):
        assert np.shares_memory(dataset.read(data).train.inputs.numpy(), sent["arrays"]["train"][0])
        given = dataset.load(data, **load)
        for part in ("train", "val", "test"):
            assert torch.equal(getattr(given, part).inputs, getattr(own, part).inputs)
            assert torch.equal(getattr(given, part).labels, getattr(own, part).labels)
        with pytest.raises(TypeError):  # another source is read
            dataset.read(compose_one(["data=blobs"]).data)
    with pytest.raises(TypeError):
        dataset.read(data)


@pytest.mark.slow
@pytest.mark.usefixtures("ray")
def test_a_cluster_that_is_not_there_or_too_small_is_refused(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RAY_ADDRESS", "")
    words = ["seed=0,1", "epochs=2", "launcher=ray"]
    assert main(["train", *words, "launcher.address=auto"]) == 2
    assert "launcher=ray: no connection to address=auto: " in capsys.readouterr().err
    assert main(["train", *words, "+launcher.init.num_cpu=3"]) == 2
    assert "num_cpu" in capsys.readouterr().err
    words += ["launcher.processes=2", "+launcher.init.num_cpus=2"]
    assert main(["train", *words, "launcher.cpus=1000"]) == 2
    assert (
        "no node of the Ray cluster has as many; the largest have 2 CPUs and 0 GPUs"
        in capsys.readouterr().err
    )
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.usefixtures("ray")
def test_cohorts_train_in_the_requests_folder_each_on_a_gpu_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(
        "import os, pathlib, torch\n"
        "class Net(torch.nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.layer = torch.nn.Linear(64, 10)\n"
        "        pathlib.Path(f'gpu{os.environ.get(\"CUDA_VISIBLE_DEVICES\")}').touch()\n"
        "    def forward(self, x):\n"
        "        return self.layer(x.flatten(1))\n"
    )
    words = ["model=custom", "model.target=mine:Net", "engine=loop", "seed=range(2)", "device=cpu"]
    words += ["launcher=ray", "launcher.gpus=1", "+launcher.init.num_gpus=2"]
    assert main(["train", *words, "epochs=20"]) == 0
    assert {path.name for path in tmp_path.glob("gpu[01]")} == {"gpu0", "gpu1"}


@pytest.mark.slow
@pytest.mark.usefixtures("ray")
def test_when_a_node_dies_its_cohorts_go_on_at_another_and_no_bit_differs(capsys, tmp_path, monkeypatch):
    from ray.cluster_utils import Cluster

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DLX_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(plan, "WORTH_A_PROCESS", 0.1)
    words = ["train", *GRID, "epochs=120", "checkpoint.every=5", "keep=last"]
    nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    second = nodes.add_node(num_cpus=1)

    def kill_second() -> None:
        until(lambda: len(done := epochs(Path("outputs/there"))) == 4 and min(done) > 6)
        nodes.remove_node(second, allow_graceful=False)

    killer = threading.Thread(target=kill_second)
    killer.start()
    try:
        assert main([*words, "name=there", "launcher=ray", f"launcher.address={nodes.address}"]) == 0
    finally:
        killer.join()
        nodes.shutdown()
    assert "a training process died (its node died)" in capsys.readouterr().out
    assert main([*words, "name=here"]) == 0
    assert files(tmp_path / "outputs" / "there") == files(tmp_path / "outputs" / "here")
    logs = [path.read_text() for path in Path("outputs/there").glob("*/train.log")]
    assert [log.count("training on") for log in logs].count(2) == 2
    assert sum("going on after epoch" in log for log in logs) == 2
