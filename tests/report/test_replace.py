"""A report's files change together: all or none, nothing through a link, nothing left by a killed one."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dlx.report.replace import replace_files


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def test_files_are_replaced_and_obsolete_ones_removed(tmp_path: Path) -> None:
    replace_files(tmp_path / "out", {"a": b"1", "plots/b": b"2", "plots/c": b"3"})
    obsolete = [tmp_path / "out" / "plots" / name for name in ("b", "c")]
    replace_files(tmp_path / "out", {"a": b"4", "plots/b": b"5"}, obsolete)
    assert files(tmp_path / "out") == {"a": b"4", "plots/b": b"5"}
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "out").rglob("?")} == {0o644}


def test_a_disk_that_fills_up_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replace_files(tmp_path, {"a": b"1", "b": b"1", "obsolete": b"1"})
    synced = []

    def full(_: int) -> None:
        synced.append(True)
        if len(synced) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"No space left on device: '.*/b'"):
        replace_files(tmp_path, {"a": b"2", "b": b"2"}, [tmp_path / "obsolete"])
    assert files(tmp_path) == {"a": b"1", "b": b"1", "obsolete": b"1"}


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    code = (  # it is killed after the first file has been written
        "import os, sys, pathlib\nfrom dlx.report.replace import replace_files\n"
        "os.fsync = lambda _: os._exit(9)\n"
        "replace_files(pathlib.Path(sys.argv[1]), {'plots/a': b'1'})"
    )
    assert subprocess.run([sys.executable, "-c", code, tmp_path], check=False).returncode == 9
    assert len(files(tmp_path)) == 1
    replace_files(tmp_path, {"plots/a": b"2"})
    assert files(tmp_path) == {"plots/a": b"2"}


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "a").write_text("mine")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "plots").symlink_to(theirs)
    with pytest.raises(OSError, match=r"A link in place of a folder: '.*/out/plots'"):
        replace_files(tmp_path / "out", {"plots/a": b"1"})
    (tmp_path / "out" / "a").symlink_to(theirs / "a")
    replace_files(tmp_path / "out", {"a": b"1"})
    assert files(theirs) == {"a": b"mine"}
    assert not (tmp_path / "out" / "a").is_symlink()
