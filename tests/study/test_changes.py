"""Own code and data that changed between requests: trained again, in one line; what did not change is not."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import dlx.data.dataset
from dlx.cli import main
from dlx.compose.fingerprints import look_again
from dlx.compose.request import compose
from dlx.run.paths import find_runs
from dlx.run.result import read_result
from dlx.study.cohort import train_cohort
from dlx.study.study import Study
from dlx.study.training import train_request

NET = """
import math
from torch import nn
from parts import activation


class Net(nn.Sequential):
    def __init__(self, input_shape, outputs):
        super().__init__(nn.Flatten(), nn.Linear(math.prod(input_shape), outputs), activation())
"""
PARTS = "from torch import nn\nactivation = nn.ReLU\n"
SMALL = ["data.train_size=20", "data.val_size=10", "batch_size=5", "epochs=1", "name=s", "keep=last"]
OWN_NET = [*SMALL, "model=custom", "model.target=mynet:Net"]
OWN_ARRAYS = [
    "data=npz",
    "data.root=.",
    "data.path=mine.npz",
    "model.sizes=[2]",
    "batch_size=5",
    "epochs=1",
    "name=s",
]
OWN_IMAGES = [
    "data=image_folder",
    "data.root=pictures",
    "model.sizes=[2]",
    "batch_size=5",
    "epochs=1",
    "name=s",
]


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DLX_CACHE", str(tmp_path / "cache"))
    Path("mynet.py").write_text(NET)
    Path("parts.py").write_text(PARTS)
    write_arrays(0.0)
    for index in range(20):
        paint(f"pictures/{'ab'[index % 2]}/{index}.png", index)
    yield tmp_path
    for name in ("mynet", "parts"):
        sys.modules.pop(name, None)


def write_arrays(value):
    inputs = np.linspace(0, 1, 40).reshape(20, 2)
    inputs[0, 0] = value
    np.savez("mine.npz", inputs=inputs, labels=np.arange(20) % 2)


def paint(name, shade):
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (2, 2), (shade, 0, 0)).save(path)


def edit(name, old, new):
    path = Path(name)
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


@pytest.fixture
def train(capsys):
    """Train, and return what was said of changes, and how many runs had completed before."""

    def run(*words):
        assert main(["train", *words]) == 0
        printed = capsys.readouterr().out
        said = [line for line in printed.splitlines() if " changed since " in line or "recorded when" in line]
        return said, len(re.findall(r"completed before", printed))

    return run


def touch():
    for path in [Path("mynet.py"), Path("parts.py"), Path("mine.npz"), *Path("pictures").rglob("*.png")]:
        os.utime(path, (1e9, 1e9))
    with Path("parts.py").open("a") as file:
        file.write("\n\n# a comment\n")


CHANGES = {
    "code": (
        OWN_NET,
        [
            (
                lambda: edit("mynet.py", "nn.Flatten(),", "nn.Flatten(), nn.Identity(),"),
                "mynet.py",
                " (1 line)",
            ),
            (lambda: edit("parts.py", "ReLU", "Tanh"), "parts.py", " (1 line)"),
        ],
    ),
    "arrays": (OWN_ARRAYS, [(lambda: write_arrays(0.5), "mine.npz", "")]),
    "images": (
        OWN_IMAGES,
        [
            (lambda: paint("pictures/a/0.png", 99), "pictures/", ""),
            (lambda: paint("pictures/a/new.png", 99), "pictures/", ""),
        ],
    ),
}


@pytest.mark.parametrize("kind", CHANGES)
def test_what_has_changed_is_said_and_trained_again_and_what_was_touched_is_not(train, kind):
    words, changes = CHANGES[kind]
    assert train(*words, "seed=0,1") == ([], 0)
    touch()
    assert train(*words, "seed=0,1") == ([], 2)
    for number, (change, name, lines) in enumerate(changes, start=2):
        before = {run: (run / "history.csv").stat().st_mtime_ns for run in find_runs(Path("outputs"))}
        change()
        said = f"{name} has changed since seeds 0 and 1 were trained{lines}: training them again"
        assert train(*words, "seed=0,1") == ([said], 0)
        assert len(find_runs(Path("outputs"))) == 2 * number  # the earlier runs are still there
        assert {run: (run / "history.csv").stat().st_mtime_ns for run in before} == before


def test_what_is_trained_is_what_is_written_now(train):
    train(*OWN_NET, "seed=0")
    edit(
        "parts.py",
        "activation = nn.ReLU",
        "class activation(nn.Linear):\n    __init__ = lambda s: nn.Linear.__init__(s, 10, 10)",
    )
    train(*OWN_NET, "seed=0")
    parameters = {read_result(run).parameters for run in find_runs(Path("outputs"))}
    assert parameters == {650, 650 + 110}


def test_an_earlier_version_is_found_again(train):
    train(*OWN_NET, "seed=0,1")
    edit("parts.py", "ReLU", "Tanh")
    train(*OWN_NET, "seed=0,1")
    edit("parts.py", "Tanh", "ReLU")
    assert train(*OWN_NET, "seed=0,1") == ([], 2)
    assert len(Study(Path("outputs/s")).requests) == 3  # the last one says which version counts


def test_runs_that_are_not_asked_for_again_are_named(train):
    train(*OWN_NET, "seed=0,1,2")
    edit("mynet.py", "nn.Flatten()", "nn.Flatten(1)")
    said, _ = train(*OWN_NET, "seed=3")
    start = "mynet.py has changed since seeds 0, 1 and 2 were trained (1 line): "
    assert said == [f"{start}the report leaves them out unless you ask for seeds 0, 1 and 2 again"]
    said, _ = train(*OWN_NET, "seed=0,1")
    assert said == [f"{start}training seeds 0 and 1 again; the report leaves out seed 2"]
    said, before = train(*OWN_NET, "seed=range(4)")
    assert said == ["mynet.py has changed since seed 2 was trained (1 line): training it again"]
    assert before == 3
    edit("mynet.py", "nn.Flatten(1)", "nn.Flatten(), nn.Identity()")
    edit("parts.py", "ReLU", "Tanh")
    said, _ = train(*OWN_NET, "seed=range(4)", "optimizer.lr=0.001,0.1")
    start = "mynet.py and parts.py have changed since seeds 0 to 3 were trained (2 lines): "
    assert said == [f"{start}training them again"]
    edit("parts.py", "Tanh", "ReLU")
    said, _ = train(*OWN_NET, "seed=range(2)", "optimizer.lr=0.001,0.1")
    start = "parts.py has changed since 8 runs were trained (1 line): "
    assert said == [f"{start}training 4 runs again; the report leaves out 4 runs"]


def test_a_run_of_an_older_dlx_is_trained_again_and_kept(train):
    train(*OWN_NET, "seed=0")
    (request,) = Path("outputs/s/.study/requests").glob("*.json")
    content = json.loads(request.read_text())
    run = content["runs"][0]
    del run["fingerprints"]
    old = Path("outputs/s", run["name"])
    run["name"] = "custom-of-an-older-dlx"
    old.rename(old.parent / run["name"])
    request.write_text(json.dumps(content))
    said, _ = train(*OWN_NET, "seed=0")
    assert said == ["mynet.py and parts.py were not recorded when seed 0 was trained: training it again"]
    assert len(find_runs(Path("outputs"))) == 2


@pytest.mark.parametrize("imported", [True, False])
def test_only_a_process_that_has_imported_what_was_asked_for_goes_on_after_an_edit(imported):
    request = compose([*OWN_NET, "seed=0"])
    (first,) = train_request(request)
    study, folder = Study(request.runs[0].folder.parent), request.runs[0].folder
    (folder / "result.json").unlink()
    edit("parts.py", "nn.ReLU", "nn.Tanh")
    if not imported:
        look_again()  # as a new process does
    train_cohort(study, study.cohorts[0])
    result = read_result(folder)
    if imported:
        assert result.last["val_loss"] == first.result.last["val_loss"]
        return
    assert result.status == "failed"
    assert result.error.endswith("parts.py has changed since this run was asked for; give the command again")
    edit("parts.py", "nn.Tanh", "nn.ReLU")
    (again,) = train_request(compose([*OWN_NET, "seed=0"]))
    assert again.result.last["val_loss"] == first.result.last["val_loss"]


def test_data_that_changes_while_it_is_read_is_not_trained_on(monkeypatch, capsys):
    read = dlx.data.dataset.read
    monkeypatch.setattr(dlx.data.dataset, "read", lambda settings: write_arrays(0.7) or read(settings))
    assert main(["train", *OWN_ARRAYS]) == 2
    assert "mine.npz was changed while it was in use; give the command again" in capsys.readouterr().err


def test_a_finished_request_is_recognised_without_torch(train):
    train(*OWN_NET, "seed=0")
    train(*OWN_IMAGES, "seed=0")
    code = (
        "import sys; from dlx.cli import main\n"
        f"assert main(['train', *{OWN_NET}, 'seed=0']) == 0 == main(['train', *{OWN_IMAGES}, 'seed=0'])\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
