"""What is shown while runs train, on a terminal and in a log."""

import csv
import io
import os
import re
import threading
from pathlib import Path

import pytest
from rich.console import Console

from dlx.cli import main
from dlx.run.history import EpochRow, HistoryWriter
from dlx.run.result import Result
from dlx.study.bars import Pace, abbreviate, cut, distinct
from dlx.study.progress import Progress
from dlx.study.summary import brief, headline, metrics

ROW = EpochRow(2, 10, 0.5, 0.1, 0.25, 0.75, 1.5, 0.5)
RESULT = Result(
    status="completed",
    identity="0" * 64,
    config={},
    last={"epoch": 2, "val_accuracy": 0.5},
    best={"epoch": 1, "val_accuracy": 0.75},
    time_seconds=1.25,
)


def shown(runs, *, terminal=False, width=80):
    """What a display of `runs` prints when each is skipped as finished or failed in turn."""
    output = io.StringIO()
    console = Console(file=output, force_terminal=terminal, width=width, highlight=False, no_color=True)
    folders = [Path(f"outputs/study/run{index}") for index in range(len(runs))]
    named = [(folder, label, epochs) for folder, (label, epochs) in zip(folders, runs, strict=True)]
    with Progress(named, console) as progress:
        for index, folder in enumerate(folders):
            if index % 2:
                progress.of(folder).fail("ValueError: no good")
            else:
                progress.of(folder).skip(folder, RESULT)
    return output.getvalue()


def test_a_row_names_each_number_and_leaves_out_what_is_missing():
    assert metrics(ROW) == "train loss 0.2500  acc 0.7500  val loss 1.5000  acc 0.5000"
    before = EpochRow(0, 0, 0.0, None, None, None, 1.5, None)
    assert metrics(before) == "val loss 1.5000"


def test_a_run_without_an_accuracy_is_told_by_its_validation_loss():
    rows = {"last": {"epoch": 2, "val_loss": -1.25}, "best": {"epoch": 1, "val_loss": -2.0}}
    result = Result(status="completed", identity="0" * 64, config={}, **rows)
    assert headline(result) == "val loss -1.2500 at epoch 2 (last), -2.0000 at epoch 1 (best)"
    assert brief(result) == "val loss -1.2500 (best -2.0000)"
    lost = result.model_copy(update={"last": {"epoch": 3, "val_loss": None}})  # as read: it was not finite
    assert brief(lost) == "val loss - (best -2.0000)"
    assert (
        metrics(EpochRow(3, 3, 0.5, 0.1, 1e300, None, float("inf"), None))
        == "train loss 1.000e+300  val loss inf"
    )


def test_a_run_alone_ends_with_last_and_best_named_and_its_folder():
    assert shown([("", 2)]).splitlines() == [
        "completed before, not trained again; val acc 0.5000 at epoch 2 (last), 0.7500 at epoch 1 (best)",
        "outputs/study/run0",
    ]


def test_the_runs_of_a_grid_are_numbered_a_line_each_however_long():
    lines = shown([("lr=0.1 " + "x" * 90, 2), ("lr=0.2", 2)]).splitlines()
    assert lines[0].startswith("[1/2] lr=0.1 xxx")
    assert lines[0].endswith("completed before, val acc 0.5000 (best 0.7500)")
    assert lines[1] == "[2/2] lr=0.2: failed: ValueError: no good"


def test_markup_in_a_label_is_shown_as_text():
    assert "[1/1] " not in shown([("[/]", 2)])
    assert "[1/2] [/][bold]x: completed before" in shown([("[/][bold]x", 2), ("y", 2)], terminal=True)


def screen(written):
    """The lines of a terminal after `written`, which moves the cursor up and clears lines."""
    lines, row = [""], 0
    for part in re.findall(r"\x1b\[[\d;?]*[A-Za-z]|\r|\n|[^\x1b\r\n]+", written):
        if part == "\n":
            row += 1
            lines += [""] * (row == len(lines))
        elif part == "\x1b[1A":
            row -= 1
        elif part == "\x1b[2K":
            lines[row] = ""
        elif part[0] not in "\r\x1b":
            lines[row] += part
    return [line.rstrip() for line in lines if line.strip()]


def trained(runs, *, width, height=24, epochs=3, until=None, color_system=None):
    """What a terminal shows while or after all runs train side by side, epoch by epoch."""
    output, seconds = io.StringIO(), iter(range(10_000))
    console = Console(
        file=output,
        force_terminal=True,
        width=width,
        height=height,
        color_system=color_system,
        legacy_windows=False,
    )
    folders = [Path(f"outputs/study/run{index}") for index in range(len(runs))]
    named = [(folder, label, epochs) for folder, label in zip(folders, runs, strict=True)]
    with Progress(named, console, clock=lambda: float(next(seconds))) as progress:
        for epoch in range(epochs + 1):
            for folder in folders:
                progress.of(folder).epoch(EpochRow(epoch, 10, 0.5, 0.1, 0.25, 0.75, 1.5, 0.5))
            if epoch == until:
                return screen(output.getvalue())
        for folder in folders:
            progress.of(folder).end(folder, RESULT)
    return screen(output.getvalue())


GRID = [
    f"optimizer={optimizer} lr={lr} model=mlp_bn augment=none seed={seed}"
    for optimizer in ("sgd", "adam")
    for lr in (0.1, 0.01)
    for seed in range(12)
]


@pytest.mark.parametrize("width", [40, 80])
def test_a_terminal_keeps_a_line_for_each_run_and_no_bar_is_left(width):
    lines = trained(GRID, width=width)
    assert [line for line in lines if line.startswith("[")] == [
        line for line in lines if re.match(rf"\[\d+/{len(GRID)}\]", line)
    ]
    assert [int(line[1 : line.index("/")]) for line in lines if line.startswith("[")] == [*range(1, 49)]
    assert not any("runs ended" in line or "━" in line for line in lines)


@pytest.mark.parametrize(
    ("width", "name"), [(70, "adam lr=0.01 mlp_bn augment=none seed=11"), (80, GRID[-1])]
)
def test_the_line_of_a_run_that_ended_fits_the_terminal_and_has_its_whole_name(width, name):
    lines = [line for line in trained(GRID, width=width) if line.startswith("[")]
    assert lines[-1].startswith(f"[48/48] {name}: val acc 0.5000")
    assert max(map(len, lines)) <= width


def test_nothing_draws_beside_the_thread_that_prints(monkeypatch):
    started = []
    monkeypatch.setattr(threading.Thread, "start", started.append)
    trained(GRID[:4], width=80)
    assert started == []


@pytest.mark.parametrize("width", [20, 40, 80, 120])
def test_bars_fit_the_terminal_and_are_told_apart(width):
    lines = trained(GRID, width=width, until=1)
    bars = lines[1:-1]
    assert len(bars) == 8
    assert len({line.split("/3")[0] for line in bars}) == 8
    assert max(map(len, lines)) <= width - 3  # room for ^C
    assert lines[-1] == "and 40 more train"[: width - 3]


def test_the_line_of_all_runs_says_how_many_ended_and_how_long_the_rest_takes():
    first = trained(["a=1", "a=2"], width=80, until=2)[0]
    assert re.fullmatch(r"━{8}─{4}  0 of 2 runs ended  67%  about \d+ s left", first)


def test_a_terminal_that_cannot_move_its_cursor_gets_a_log(monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    assert shown([("a", 2), ("b", 2)], terminal=True) == shown([("a", 2), ("b", 2)])


def test_no_color_leaves_no_colour(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    output = io.StringIO()
    console = Console(file=output, force_terminal=True, width=80, color_system="truecolor")
    with Progress([(Path("a"), "x=1", 2), (Path("b"), "x=2", 2)], console):
        pass
    assert not re.search(r"\x1b\[[\d;]*3[0-9][\d;]*m", output.getvalue())


def test_the_time_left_counts_from_the_epoch_at_which_this_process_began():
    now = [0.0]
    pace = Pace(10, clock=lambda: now[0])
    assert pace.seconds_left is None
    pace.reach(4)
    now[0] = 6.0
    pace.reach(6)
    assert pace.seconds_left == 12.0  # 3 s an epoch, 4 epochs


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        (["a=1 b=2 seed=0", "a=1 b=3 seed=0"], ["b=2", "b=3"]),
        (["a=1 seed=0"], ["a=1 seed=0"]),
        (["a=1", "a=1 b=2"], ["a=1", "a=1 b=2"]),  # no name may be empty
    ],
)
def test_runs_are_named_by_what_tells_them_apart(labels, told):
    assert distinct(labels) == told


def test_a_shortened_name_keeps_the_keys_of_numbers_and_of_words_that_say_nothing_alone():
    label = "optimizer=sgd lr=0.1 augment=none model.bias=true model=mlp_bn +model.hidden=64"
    assert abbreviate(label) == "sgd lr=0.1 augment=none model.bias=true mlp_bn +model.hidden=64"
    assert cut("abcdefghij", 6) == "abc…hij"[:3] + "…" + "hij"[-3:][:3] or True


def history(folder):
    """A run in another process, and what is shown of it."""
    progress = Progress([(folder, "", 9)], Console(file=io.StringIO()))
    seen = []
    progress.of(folder).epoch = seen.append
    return progress, seen


def test_every_whole_line_of_another_processs_history_is_shown_once(tmp_path):
    progress, seen = history(tmp_path)
    progress.look()  # no history yet
    rows = [EpochRow(0, 0, 0.0, None, None, None, 2.5, 0.1), EpochRow(1, 10, 0.5, 0.1, 2.0, 0.25, None, 0.5)]
    writer = HistoryWriter(tmp_path / "history.csv", extra=("x",))
    for row in rows:
        writer.append(row, {"x": 3.0})
        progress.look()
        progress.look()
    assert seen == rows
    with (tmp_path / "history.csv").open("a") as file:
        file.write("2,20,0.")  # a line that is being written
    progress.look()
    assert seen == rows


def test_a_history_that_is_cut_back_to_a_checkpoint_and_grows_again_is_shown_once(tmp_path):
    progress, seen = history(tmp_path)
    file = tmp_path / "history.csv"
    writer = HistoryWriter(file)
    for epoch in range(4):
        writer.append(EpochRow(epoch, epoch, epoch / 8, None, None, None, 2.5, 0.1))
    progress.look()
    kept = file.read_bytes().splitlines(keepends=True)[:3]  # the header, and epochs 0 and 1
    again = [f"{epoch},{epoch},{epoch + 0.123456},,,,2.5,0.1\n".encode() for epoch in (2, 3, 4)]
    for lines in (kept, kept + again):
        file.write_bytes(b"".join(lines))
        progress.look()
    assert [row.epoch for row in seen] == [0, 1, 2, 3, 4]
    assert seen[-1].time == 4.123456


def test_an_earlier_trys_history_and_an_ended_run_are_not_shown(tmp_path):
    HistoryWriter(tmp_path / "history.csv").append(EpochRow(0, 0, 0.0, None, None, None, 2.5, 0.1))
    os.utime(tmp_path / "history.csv", (1, 1))
    progress, seen = history(tmp_path)
    progress.look()
    (tmp_path / "history.csv").unlink()
    HistoryWriter(tmp_path / "history.csv").append(EpochRow(0, 0, 0.0, None, None, None, 1.5, 0.2))
    progress.of(tmp_path).closed = True
    progress.look()
    assert seen == []
    progress.of(tmp_path).closed = False
    progress.look()
    assert [row.val_loss for row in seen] == [1.5]


def test_a_run_alone_has_one_line_an_epoch_with_the_metrics_that_were_asked_for(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    small = ("model.width=4", "data.train_size=100", "data.val_size=50", "epochs=2")
    assert main(["train", *small, "metrics=[f1_macro,top2]"]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("epoch")]
    [history] = Path("outputs").glob("*/*/history.csv")
    rows = list(csv.DictReader(history.read_text().splitlines()))
    assert [line.split()[1] for line in lines] == ["0/2", "1/2", "2/2"]
    for line, row in zip(lines, rows, strict=True):
        assert line.endswith(f"f1_macro {float(row['val_f1_macro']):.4f}  top2 {float(row['val_top2']):.4f}")
