"""The export to TensorBoard: what its own reader finds, and the error if it is not installed."""

from pathlib import Path
from typing import Any

import pytest

from dlx.commands.report import main
from dlx.errors import RequestError
from dlx.report.export import exports
from dlx.report.export.tensorboard import EVENTS, _below, event_files


def test_without_tensorboard_an_error_says_what_to_install(
    study: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    study.run("a", study.curve(0.5))
    monkeypatch.setattr(exports, "find_spec", lambda name: None)
    with pytest.raises(RequestError, match=r"pip install 'dlx\[tensorboard\]'$"):
        main([str(study.folder), "--export", "tensorboard"])
    assert not (study.folder / "report").exists()


def read(folder: Path) -> Any:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    return accumulator.EventAccumulator(str(folder)).Reload()


def test_tensorboard_reads_scalars_by_epoch_and_settings_by_run(study: Any, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    study.run("a", study.curve(0.5, 0.75), {"optimizer.lr": 0.1, "optimizer.name": "adam"})
    study.run(
        "b", study.curve(0.25), {"optimizer.lr": 0.2, "optimizer.betas": [0, 1]}, seed=1, status="diverged"
    )
    study.run("c", study.curve(0.25), {"optimizer.lr": 0.3}, status="failed")
    for name, content in event_files(study.analysis()).items():
        (tmp_path / "out" / name).parent.mkdir(parents=True)
        (tmp_path / "out" / name).write_bytes(content)
    assert sorted(path.parent.name for path in (tmp_path / "out").rglob(EVENTS)) == ["a", "b", "c"]
    events = read(tmp_path / "out" / "a")
    assert [(each.step, each.value) for each in events.Scalars("val_accuracy")] == [
        (0, pytest.approx(0.1)),
        (1, 0.5),
        (2, 0.75),
    ]
    assert [each.step for each in events.Scalars("train_loss")] == [1, 2]  # none before training
    first, last = events.Scalars("lr")[0], events.Scalars("lr")[-1]
    assert last.wall_time - first.wall_time == pytest.approx(0.2, abs=1e-3)

    from tensorboard.plugins.hparams import api_pb2, plugin_data_pb2

    def hyperparameters(run: str) -> tuple[dict[str, Any], int]:
        found = read(tmp_path / "out" / run).SummaryMetadata
        data = [
            plugin_data_pb2.HParamsPluginData.FromString(found(tag).plugin_data.content)
            for tag in ("_hparams_/session_start_info", "_hparams_/session_end_info")
        ]
        values = data[0].session_start_info.hparams
        kinds = {key: getattr(value, value.WhichOneof("kind")) for key, value in values.items()}
        return kinds, data[1].session_end_info.status

    assert hyperparameters("b") == (
        {"optimizer.lr": 0.2, "optimizer.betas": "[0, 1]", "seed": 1.0}
        | {"monitor": "val_accuracy", "dlx.status": "diverged"},
        api_pb2.STATUS_FAILURE,
    )
    assert hyperparameters("a")[1] == api_pb2.STATUS_SUCCESS


def test_the_export_lies_beside_the_page_and_replaces_an_earlier_one(
    study: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("tensorboard")
    study.run("a", study.curve(0.5))
    mine = study.folder / "report" / "tensorboard" / "gone" / EVENTS
    mine.parent.mkdir(parents=True)
    for name in (EVENTS, "theirs"):
        (mine.parent / name).touch()
    assert main([str(study.folder), "--export", "tensorboard"]) == 0
    assert [path.name for path in mine.parent.iterdir()] == ["theirs"]
    assert (study.folder / "report" / "tensorboard" / "a" / EVENTS).is_file()
    assert f"tensorboard --logdir {study.folder}/report/tensorboard" in capsys.readouterr().out


def test_no_run_name_escapes_the_export_folder(tmp_path: Path) -> None:
    for name in ("/etc/x", "../../x", "a/../../x", "\x1b[2J"):
        place = Path("out") / _below(name)
        assert place.parts[0] == "out"
        assert ".." not in place.parts
        assert str(place).isprintable()
