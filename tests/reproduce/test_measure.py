"""Reading a metric of a run: the right column at the right moment, and one line if there is none."""

import pytest

from dlx.errors import RequestError
from dlx.reproduce.measure import LAYER_MEAN, read_metric
from dlx.run.result import Result

HISTORY = """epoch,step,time,lr,train_loss,train_accuracy,val_loss,val_accuracy,extra
0,0,0.1,,,,2.3,0.1,7.0
1,4,0.2,0.1,1.5,0.5,1.6,0.6,8.0
2,8,0.3,0.1,1.2,0.6,1.9,0.4,9.0
"""
LAYERS = """epoch,phase,layer,module,mean,abs_mean,std
1,training,layers.0,Linear,0.25,1.0,1.0
1,training,layers.1,ReLU,0.5,1.0,1.0
1,training,layers.2,Linear,-9.0,9.0,1.0
2,training,layers.0,Linear,-3.5,1.0,1.0
2,training,layers.1,ReLU,0.75,1.0,1.0
2,training,layers.2,Linear,-9.0,9.0,1.0
2,validation,layers.0,Linear,-4.0,1.0,1.0
2,validation,layers.2,Linear,-9.0,9.0,1.0
"""
RESULT = Result(
    status="completed",
    identity="0" * 64,
    config={"monitor": "val_accuracy"},
    last={"epoch": 2, "val_accuracy": 0.4, "train_loss": None},
    best={"epoch": 1, "val_accuracy": 0.6, "val_loss": 1.6},
    parameters=12,
)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "history.csv").write_text(HISTORY)
    (tmp_path / "layers.csv").write_text(LAYERS)
    return tmp_path


@pytest.mark.parametrize(
    ("metric", "at", "value"),
    [
        ("val_accuracy", "last", 0.4),
        ("val_accuracy", "best", 0.6),
        ("epoch", "best", 1),
        ("train_loss", 1, 1.5),
        ("extra", 0, 7.0),
        ("parameters", "last", 12),
        (LAYER_MEAN, "last", 3.5),
        (LAYER_MEAN, "best", 0.5),
        (LAYER_MEAN, 1, 0.5),
    ],
)
def test_a_metric_is_read_at_its_moment(folder, metric, at, value):
    assert read_metric(folder, RESULT, metric, at) == value


@pytest.mark.parametrize(
    ("metric", "at", "words"),
    [
        ("val_acuracy", "last", ["there is no 'val_acuracy'; did you mean 'val_accuracy'?", "parameters"]),
        ("extr", 1, ["did you mean 'extra'?"]),
        ("train_loss", "last", ["has no value of train_loss at last"]),
        ("train_loss", 0, ["has no value of train_loss at epoch 0"]),
        ("val_loss", 3, ["at=3", "ended with epoch 2"]),
        (LAYER_MEAN, 3, ["no value of largest_layer_mean at epoch 3"]),
    ],
)
def test_a_missing_value_is_reported_in_one_line(folder, metric, at, words):
    with pytest.raises(RequestError) as caught:
        read_metric(folder, RESULT, metric, at)
    assert all(word in str(caught.value) for word in words), str(caught.value)


@pytest.mark.parametrize(
    ("name", "metric", "at"), [("history.csv", "extra", 1), ("layers.csv", LAYER_MEAN, 2)]
)
def test_a_damaged_table_is_reported_in_one_line(folder, name, metric, at):
    (folder / name).write_text("epoch,stop\n")
    with pytest.raises(RequestError, match=rf"{name}: .*; rerun=true trains the run again"):
        read_metric(folder, RESULT, metric, at)


def test_missing_layer_statistics_say_how_to_record_them(folder):
    (folder / "layers.csv").unlink()
    with pytest.raises(RequestError, match=r"probes\.layers=true"):
        read_metric(folder, RESULT, LAYER_MEAN, "last")
