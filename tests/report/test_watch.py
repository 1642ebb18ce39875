"""`dlx report --watch`: the page follows the runs, nothing is read twice, every exit leaves a whole page."""

import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

from dlx.commands.report import main
from dlx.errors import RequestError
from dlx.report.load import StudyData, load_study
from dlx.report.reader import SILENT, Reader
from dlx.report.watch import watch_runs
from dlx.run.history import EpochRow, HistoryWriter

REFRESH = re.compile(r'<meta http-equiv="refresh" content="(\d+)">\n')


class Recorder:
    """A fake report: it records each study it is given, then makes the next change to the runs."""

    def __init__(self, *then: Callable[[], object]) -> None:
        self.then = list(then)
        self.shown: list[tuple[list[str], dict[str, str], int | None]] = []

    def __call__(self, study: StudyData, *, refresh: int | None, show: bool) -> None:
        if study.runs.empty:
            raise RequestError("nothing")
        self.shown.append((study.runs.index.tolist(), study.running, refresh))
        if self.then:
            self.then.pop(0)()


def test_the_report_follows_the_runs_until_all_have_ended(study: Any, capsys: Any) -> None:
    study.run("a", study.curve(0.5))
    going = study.run("b", study.curve(0.6), status=None, seed=1)

    def next_epoch() -> None:
        with (going / "history.csv").open("a") as file:
            file.write("2,20,0.2,0.001,0.5,0.5,0.5,0.7\n")

    def end() -> None:
        (going / "history.csv").unlink()
        (going / ".hydra" / "config.yaml").unlink()
        (going / ".hydra").rmdir()
        study.run("b", study.curve(0.6, 0.7), seed=1)

    record = Recorder(next_epoch, end)
    going_before = {"b": "epoch 1, val accuracy 0.6000"}, {"b": "epoch 2, val accuracy 0.7000"}
    assert watch_runs([study.folder], record, study.folder / "index.html", seconds=0.01, quiet=0.1) == 0
    assert record.shown == [
        (["a"], going_before[0], 1),
        (["a"], going_before[1], 1),
        (["a", "b"], {}, 1),
        (["a", "b"], {}, None),  # the last page does not reload itself
    ]
    assert "1 run ended, 1 running; b: epoch 1, val accuracy 0.6000" in capsys.readouterr().out


def test_a_study_without_a_finished_run_is_refused_when_it_falls_silent(study: Any) -> None:
    (study.run("a", study.curve(0.5), status=None) / "history.csv").unlink()
    with pytest.raises(RequestError, match="nothing"):
        watch_runs([study.folder], Recorder(), study.folder / "index.html", seconds=0.01, quiet=0.03)


def test_unchanged_runs_are_not_read_again(study: Any) -> None:
    folders = [study.run(f"run{seed}", study.curve(0.5, 0.6), seed=seed) for seed in range(3)]
    reader = Reader()
    first, again = load_study([study.folder], reader), load_study([study.folder], reader)
    assert reader.parsed == 3
    assert first.histories.equals(again.histories)
    history = folders[1] / "history.csv"
    history.write_text(history.read_text().replace(",2.3,", ",9.0,"))  # before training
    assert load_study([study.folder], reader).histories["val_loss"].max() == 9.0
    assert reader.parsed == 4
    (folders[2] / "result.json").write_text("[]")
    (reason,) = load_study([study.folder], reader).left_out.values()
    assert "not a result" in reason
    assert load_study([study.folder], reader).left_out == {"run2": reason}
    assert reader.parsed == 5


@pytest.mark.parametrize(("seconds_an_epoch", "patience"), [(0.1, SILENT), (600.0, 3000.0)])
def test_a_silent_run_no_longer_counts_as_running(
    study: Any, seconds_an_epoch: float, patience: float
) -> None:
    folder = study.run("a", study.curve(0.5), status=None)
    writer = HistoryWriter(folder / "history.csv")
    for epoch in range(3):
        writer.append(EpochRow(epoch, epoch, epoch * seconds_an_epoch, None, None, None, 1.0, 0.5))
    (folder / ".hydra" / "config.yaml").write_text("model:\n  epochs: 7\nepochs: 30\nseed: 0\n")
    written = (folder / "history.csv").stat().st_mtime
    soon = load_study([study.folder], Reader(clock=lambda: written + patience - 1))
    assert soon.running == {"a": "epoch 2 of 30, val accuracy 0.5000"}
    late = load_study([study.folder], Reader(clock=lambda: written + patience + 1))
    assert late.running == {}
    assert late.left_out["a"].startswith("no result.json: interrupted at epoch 2 of 30")


def test_the_page_lists_running_runs_and_reloads_itself_only_while_watched(
    study: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    study.run("a", study.curve(0.5))
    study.run("<b>", study.curve(0.6), status=None, seed=1)
    page = study.folder / "report" / "index.html"
    assert main([str(study.folder)]) == 0
    assert not REFRESH.search(page.read_text())
    seen = []

    def stop(*_: object) -> None:
        seen.append(page.read_text())
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr("dlx.report.watch.Interrupt.wait", stop)
    assert main([str(study.folder), "--watch", "7"]) == 130
    assert [REFRESH.findall(text) for text in seen] == [["7"]]
    assert not REFRESH.search(page.read_text())
    assert page.read_text() == REFRESH.sub("", seen[0])
    assert "&lt;b&gt;" in page.read_text()
    assert "epoch 1, val accuracy 0.6000" in page.read_text()


@pytest.mark.parametrize(("number", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 143)])
def test_a_signal_while_a_page_is_written_finishes_it_first(study: Any, number: str, code: int) -> None:
    study.run("a", study.curve(0.5))
    done = []

    def interrupted() -> None:
        signal.raise_signal(signal.Signals[number])
        done.append(True)

    before = signal.getsignal(signal.Signals[number])
    page = study.folder / "index.html"
    assert watch_runs([study.folder], Recorder(interrupted), page, seconds=0.01) == code
    assert done == [True]
    assert signal.getsignal(signal.Signals[number]) is before


def test_a_second_ctrl_c_stops_at_once(study: Any) -> None:
    study.run("a", study.curve(0.5))
    page = study.folder / "index.html"
    page.write_text("the one before")

    def twice() -> None:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        page.write_text("torn")

    with pytest.raises(KeyboardInterrupt):
        watch_runs([study.folder], Recorder(twice), page, seconds=0.01)
    assert page.read_text() == "the one before"


def test_ctrl_c_gives_exit_code_130_and_a_complete_page(study: Any) -> None:
    study.run("a", study.curve(0.5))
    study.run("b", study.curve(0.6), status=None, seed=1)
    command = [sys.executable, "-m", "dlx", "report", str(study.folder), "--watch", "0.2"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    watchdog = threading.Timer(120, process.kill)
    watchdog.start()
    try:
        assert process.stdout is not None
        assert "1 run ended, 1 running" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        rest, complaint = process.communicate()
    finally:
        watchdog.cancel()
        process.kill()
    assert process.returncode == 130
    assert complaint == ""
    assert "no longer reloads itself" in rest
    text = (study.folder / "report" / "index.html").read_text()
    assert text.rstrip().endswith("</html>")
    assert not REFRESH.search(text)
