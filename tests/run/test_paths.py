"""Finding runs and the newest study, and replacing files atomically."""

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dlx.run import paths
from dlx.run.paths import NEW, find_runs, hold, is_gone, newest_study, write_atomically


def make_run(folder: Path, written: float = 1000.0) -> Path:
    (folder / ".hydra").mkdir(parents=True)
    (folder / ".hydra" / "config.yaml").touch()
    (folder / "history.csv").touch()
    for file in (*folder.iterdir(), folder):
        os.utime(file, (written, written))
    return folder


def test_runs_are_found_at_and_below_a_folder(tmp_path: Path) -> None:
    runs = [make_run(tmp_path / "study" / name) for name in ("b", "a")]
    (tmp_path / "study" / "report").mkdir()
    assert find_runs(tmp_path) == sorted(runs)
    assert find_runs(runs[0]) == [runs[0]]
    make_run(tmp_path / "study" / ".study" / "kept")  # dlx's own folder
    assert find_runs(tmp_path) == sorted(runs)
    assert find_runs(tmp_path / "nothing") == []


def test_the_newest_study_is_the_one_written_to_last(tmp_path: Path) -> None:
    make_run(tmp_path / "a-newest" / "run", 3000)
    make_run(tmp_path / "b-older" / "run", 2000)
    assert newest_study(tmp_path) == tmp_path / "a-newest"
    os.utime(tmp_path / "b-older" / "run" / "history.csv", (4000, 4000))
    assert newest_study(tmp_path) == tmp_path / "b-older"
    assert newest_study(tmp_path / "nothing") is None


def test_a_file_that_disappears_after_it_was_listed_is_ignored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(tmp_path / "study" / "run")
    listed = Path.iterdir

    def with_a_ghost(folder: Path) -> Iterator[Path]:
        yield from listed(folder)
        yield folder / ".result.json.x1"

    monkeypatch.setattr(Path, "iterdir", with_a_ghost)
    assert newest_study(tmp_path) == run.parent


def test_a_file_is_replaced_atomically(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomically(path, b"one")
    write_atomically(path, b"two")
    assert path.read_bytes() == b"two"
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("fails", ["fsync", "replace"])
def test_a_failed_write_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    path = tmp_path / "file"
    write_atomically(path, b"old")

    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(*((os, "fsync") if fails == "fsync" else (Path, "replace")), full)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


def test_links_are_not_followed_even_if_they_form_a_loop(tmp_path: Path) -> None:
    run = make_run(tmp_path / "study" / "run")
    (tmp_path / "study" / "loop").symlink_to(tmp_path / "study")
    (tmp_path / "study" / "again").symlink_to(run)
    (tmp_path / "study" / "self").symlink_to(tmp_path / "study" / "self")
    assert find_runs(tmp_path) == [run]


def test_a_folder_that_cannot_be_read_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, shut = make_run(tmp_path / "study" / "run"), make_run(tmp_path / "study" / "shut")
    listed = os.scandir

    def refuse(folder: str) -> object:  # a mode of 0 does not stop root, who may be running this
        if Path(folder) == shut:
            raise PermissionError(13, "Permission denied", str(shut))
        return listed(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    told: list[OSError] = []
    assert find_runs(tmp_path, told.append) == [run]
    assert [error.filename for error in told] == [str(shut)]
    assert find_runs(tmp_path) == [run]


@pytest.mark.parametrize(
    ("path", "gone"),
    [("outputs/study/run/history.csv", True), ("data/mine.npz", False), ("outputs/study", False)],
)
def test_only_a_file_within_the_study_is_gone_from_it(path: str, gone: bool) -> None:
    error = FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
    assert is_gone(error, Path("outputs/study")) is gone
    assert not is_gone(PermissionError(errno.EACCES, "", path), Path("outputs/study"))


def test_what_a_killed_writer_left_is_removed_and_what_a_living_one_holds_is_kept(tmp_path: Path) -> None:
    code = (  # killed in the middle of its write
        "import os, sys, pathlib\nfrom dlx.run.paths import write_atomically\n"
        "os.fsync = lambda _: os._exit(9)\nwrite_atomically(pathlib.Path(sys.argv[1]), b'1')"
    )
    for _ in range(2):
        assert subprocess.run([sys.executable, "-c", code, tmp_path / "a[1]"], check=False).returncode == 9
    assert len(list(tmp_path.iterdir())) == 2
    living = tmp_path / ".a[1].living.new"
    with living.open("wb") as file:
        assert hold(file.fileno())
        write_atomically(tmp_path / "a[1]", b"2")
        assert sorted(path.name for path in tmp_path.iterdir()) == [".a[1].living.new", "a[1]"]
    write_atomically(tmp_path / "a[1]", b"3")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"3"]


def test_a_write_that_fails_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"No space left on device: '.*/name'"):
        write_atomically(tmp_path / "name", b"1")
    assert list(tmp_path.iterdir()) == []


def test_a_named_pipe_among_what_a_dead_process_left_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / f".file.x{NEW}")
    (tmp_path / f".file.y{NEW}").symlink_to(tmp_path / "mine")
    (tmp_path / "mine").write_bytes(b"mine")
    write_atomically(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"new"
    assert (tmp_path / "mine").read_bytes() == b"mine"


def test_the_files_of_a_run_have_the_names_that_are_documented() -> None:
    names = (paths.RESULT, paths.HISTORY, paths.CHECKPOINT, paths.PREDICTIONS)
    assert names == ("result.json", "history.csv", "checkpoint.pt", "predictions.npz")
