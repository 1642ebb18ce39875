"""Logs of Keras, Lightning, MLflow, TensorBoard and W&B, in folders as these programs leave them."""

import struct
from pathlib import Path
from typing import Any

import pytest

from dlx.errors import RequestError
from dlx.importers import tensorboard, wandb
from dlx.importers.find import Found, read_runs
from dlx.importers.foreign_run import Columns, read_value
from dlx.importers.names import read_metric_name
from dlx.importers.run_names import settings_of_name
from dlx.report.foreign import load_foreign


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def read(folder: Path) -> Found:
    return read_runs([folder], Columns())


KERAS = "epoch,accuracy,loss,val_accuracy,val_loss\n0,0.5,1.5,0.4,1.6\n1,0.6,1.4,0.45,1.5\n"
LIGHTNING = """epoch,step,train_loss_epoch,train_loss_step,val_acc
0,49,,1.9,
0,99,,,0.5
0,99,1.8,,
1,199,,,0.6
1,199,1.7,,
"""


def test_keras_logs_take_settings_and_seeds_from_their_names(tmp_path: Path) -> None:
    found = read(
        write(tmp_path, {f"{name}-seed{seed}.csv": KERAS for name in ("cnn", "mlp") for seed in (0, 1)})
    )
    assert [dict(run.settings) for run in found.runs] == [
        {"run.name": name, "seed": seed} for name in ("cnn", "mlp") for seed in (0, 1)
    ]
    loaded = load_foreign([tmp_path], Columns())
    assert loaded.score == "val_accuracy"
    assert loaded.runs["val_accuracy_last"].tolist() == [0.45] * 4
    assert loaded.runs["train_accuracy_last"].tolist() == [0.6] * 4  # a bare name beside a val_ one
    assert loaded.histories["epoch"].tolist() == [0, 1, 2] * 4
    assert loaded.histories["val_loss"].isna().tolist() == [True, False, False] * 4


def test_settings_in_a_file_beside_a_log_come_before_its_name(tmp_path: Path) -> None:
    files = {f"a/{seed}/log.csv": KERAS for seed in (0, 1)}
    files |= {f"a/{seed}/config.json": f'{{"opt": {{"lr": 0.1}}, "seed": {seed}}}' for seed in (0, 1)}
    assert [dict(run.settings) for run in read(write(tmp_path, files)).runs] == [
        {"opt.lr": 0.1, "seed": seed} for seed in (0, 1)
    ]


def test_rows_of_lightning_that_complete_each_other_are_one_epoch(tmp_path: Path) -> None:
    files = {"lightning_logs/version_0/metrics.csv": LIGHTNING}
    files |= {"lightning_logs/version_0/hparams.yaml": "lr: 0.1\nmodel: cnn\nseed: 3\n"}
    (run,) = read(write(tmp_path, files)).runs
    assert run.settings == {"model": "cnn", "lr": 0.1, "seed": 3}
    assert run.metrics == {"train_loss_epoch": {0: 1.8, 1: 1.7}, "val_acc": {0: 0.5, 1: 0.6}}
    loaded = load_foreign([tmp_path], Columns())
    assert loaded.histories["train_loss"].tolist()[1:] == [1.8, 1.7]


def test_yaml_that_would_make_objects_is_not_read(tmp_path: Path) -> None:
    files = {
        "v/metrics.csv": LIGHTNING,
        "v/hparams.yaml": "a: !!python/object/apply:os.system ['touch pwned']\n",
    }
    (run,) = read(write(tmp_path, files)).runs
    assert run.settings == {"run.name": "v"}
    said = load_foreign([tmp_path], Columns()).source
    assert "Settings of 1 run could not be read. The first is v: hparams.yaml: the tag" in said


def test_settings_that_cannot_be_read_are_said_with_the_first_run(tmp_path: Path) -> None:
    files = {f"a/{seed}/log.csv": KERAS for seed in (0, 1, 2)}
    files |= {"a/1/config.json": "{'lr': 1}", "a/2/config.json": "[1]"}
    said = load_foreign([write(tmp_path, files)], Columns()).source
    assert "Settings of 2 runs could not be read. The first is a/1: config.json: not valid JSON" in said
    assert "could not be read" not in load_foreign([tmp_path / "a" / "0"], Columns()).source


def test_settings_of_wandb_that_are_not_json_are_named() -> None:
    class Item:
        key, nested_key, value_json = "lr", (), "0.1}"

    unread: list[str] = []
    assert wandb._items([Item()], unread) == {}
    assert unread == ["lr"]


MLFLOW = {
    "1/meta.yaml": "name: study\nexperiment_id: '1'\n",
    "1/ab/meta.yaml": "run_name: cnn-0\nstatus: 3\nstart_time: 1000\nend_time: 3500\n",
    "1/ab/params/lr": "0.1",
    "1/ab/params/random_state": "0",
    "1/ab/metrics/val/acc": "1000 0.5 0\n2000 0.6 1\n",
    "1/cd/meta.yaml": "run_name: gone\nstatus: 3\nlifecycle_stage: deleted\n",
    "1/cd/params/lr": "0.1",
    "1/ef/meta.yaml": "run_name: going\nstatus: 1\nlifecycle_stage: active\n",
    "1/ef/metrics/val/acc": "1000 0.5 0\n",
}


def test_a_store_of_mlflow_gives_parameters_metrics_states_and_seconds(tmp_path: Path) -> None:
    done, going = read(write(tmp_path, MLFLOW)).runs
    assert (done.name, done.status, done.seconds) == ("cnn-0", "completed", 2.5)
    assert done.settings == {"lr": 0.1, "random_state": 0}
    assert done.metrics == {"val/acc": {0.0: 0.5, 1.0: 0.6}}
    assert going.status == "running"
    loaded = load_foreign([tmp_path], Columns())
    assert list(loaded.running) == ["going"]
    assert loaded.settings == {"cnn-0": {"lr": 0.1, "seed": 0}}


def test_a_damaged_run_is_left_out_with_the_reason(tmp_path: Path) -> None:
    write(tmp_path, MLFLOW | {"1/bad/meta.yaml": "a: &x [*x]", "1/bad/params/lr": "1"})
    assert "the alias" in load_foreign([tmp_path], Columns()).left_out["1/bad"]


def events(folder: Path, *scalars: tuple[int, str, float], settings: dict[str, Any] | None = None) -> None:
    """Write an event file with TensorBoard's own writer."""
    record_writer = pytest.importorskip("tensorboard.summary.writer.record_writer")
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.hparams.summary_v2 import hparams_pb

    folder.mkdir(parents=True)
    with (folder / "events.out.tfevents.1.host").open("wb") as file:
        writer = record_writer.RecordWriter(file)
        if settings:
            writer.write(Event(summary=hparams_pb(settings)).SerializeToString())
        for step, tag, value in scalars:
            summary = Summary(value=[Summary.Value(tag=tag, simple_value=value)])
            writer.write(Event(step=step, summary=summary).SerializeToString())


def test_event_files_give_scalars_and_hyperparameters(tmp_path: Path) -> None:
    events(tmp_path / "a", (10, "train/loss", 2.0), (20, "train/loss", 1.0), (20, "val/acc", 0.5),
           (30, "train/loss", 0.5), (40, "val/acc", 0.75), settings={"lr": 0.5, "seed": 3})  # fmt: skip
    (run,) = read(tmp_path).runs
    assert run.settings == {"lr": 0.5, "seed": 3}
    loaded = load_foreign([tmp_path], Columns())
    assert loaded.histories["val_accuracy"].tolist()[1:] == [0.5, 0.75]
    assert loaded.histories["train_loss"].tolist()[1:] == [1.0, 0.5]  # the last since the row before
    assert loaded.histories["step"].tolist()[1:] == [20, 40]


def test_keras_writes_training_and_validation_into_two_folders_of_one_run(tmp_path: Path) -> None:
    for split, value in (("train", 0.5), ("validation", 0.25)):
        events(tmp_path / "cnn-s1" / split, (0, "epoch_accuracy", value), (1, "epoch_accuracy", value))
    (run,) = read(tmp_path).runs
    assert run.settings == {"run.name": "cnn", "seed": 1}
    loaded = load_foreign([tmp_path], Columns())
    assert loaded.runs[["train_accuracy_last", "val_accuracy_last"]].to_numpy().tolist() == [[0.5, 0.25]]


def test_a_record_that_claims_more_than_there_is_takes_no_memory(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    events(tmp_path / "a", (1, "val/acc", 0.5))
    path = next(tmp_path.rglob("*tfevents*"))
    path.write_bytes(path.read_bytes() + struct.pack("<QI", 2**62, 0))
    assert "a record claims" in read(tmp_path).left_out["a"]


def test_without_the_package_one_line_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module, file in ((tensorboard, "a/events.out.tfevents.1"), (wandb, "b/run-x.wandb")):
        monkeypatch.setattr(module, "find_spec", lambda name: None)
        name = module.__name__.rpartition(".")[2]
        with pytest.raises(RequestError, match=rf"pip install 'dlx\[{name}\]'"):
            read(write(tmp_path, {file: ""}) / file[0])


def test_fragments_of_a_wandb_file_are_joined_across_blocks() -> None:
    record = bytes(range(256)) * 300
    content, rest = b":W&B" + bytes(3), record
    while rest:
        room = wandb.BLOCK - len(content) % wandb.BLOCK - wandb.HEADER.size
        part, rest = rest[:room], rest[room:]
        kind = (wandb.MIDDLE if rest else wandb.END) if len(rest) + len(part) < len(record) else wandb.START
        content += wandb.HEADER.pack(0, len(part), kind) + part
    assert list(wandb._whole(content)) == [record]
    assert list(wandb._whole(content[:-1])) == []  # still being written


def test_other_formats_beside_them_and_earlier_reports_do_not_count(tmp_path: Path) -> None:
    write(tmp_path, MLFLOW | {"notes.csv": "a,b\n1,2\n", "report/table.csv": "lr,runs\n1,2\n"})
    assert len(read(tmp_path).runs) == 2
    only = write(tmp_path / "x", {"adam-s0.csv": KERAS, "report/table.csv": "lr,runs\n1,2\n"})
    assert [run.name for run in read(only).runs] == ["adam-s0"]


@pytest.mark.parametrize(
    ("text", "value"),
    [("0.10", 0.1), ("3", 3), ("1e-3", 0.001), ("true", True), ("None", None), ("", None), ("none", "none")],
)
def test_values_are_numbers_where_they_can_be(text: str, value: object) -> None:
    assert read_value(text) == value
    assert type(read_value(text)) is type(value)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("adam-seed3", {"run.name": "adam", "seed": 3}),
        ("adam/3", {"run.name": "adam", "seed": 3}),
        ("lr=0.01,opt=sgd,seed=2", {"lr": 0.01, "opt": "sgd", "seed": 2}),
        ("resnet-18", {"run.name": "resnet-18"}),
        ("adam_lr0.01", {"run.name": "adam_lr0.01"}),
        ("lightning_logs/version_4", {"run.name": "lightning_logs", "seed": 4}),
    ],
)
def test_settings_in_names(name: str, settings: dict[str, Any]) -> None:
    assert settings_of_name(name) == settings


@pytest.mark.parametrize(
    ("name", "column", "higher"),
    [
        ("val/acc", "val_accuracy", True),
        ("Validation-Accuracy", "val_accuracy", True),
        ("valLoss", "val_loss", False),
        ("train_loss_epoch", "train_loss", False),
        ("epoch_loss", "loss", False),
        ("test/f1_macro", "test_f1_macro", True),
        ("eval/perplexity", "val_perplexity", False),
        ("RMSE", "rmse", False),
        ("top5", "top5", True),
        ("throughput", "throughput", None),
    ],
)
def test_names_of_metrics(name: str, column: str, higher: bool | None) -> None:
    assert (read_metric_name(name).column, read_metric_name(name).higher) == (column, higher)
