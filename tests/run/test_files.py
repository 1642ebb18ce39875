"""Only regular files of a limited size are opened, and nothing is written through a link."""

import errno
import os
import re
import stat
from pathlib import Path

import pytest

from dlx.engine.evaluation import COPIES, LEAST_CHECKPOINT
from dlx.errors import RequestError
from dlx.run import documents, files, formats, predictions, result
from dlx.run.files import (
    make_folder,
    open_regular,
    open_to_append,
    read_bytes,
    read_text,
    refuse_links,
    write_size,
)


def test_a_regular_file_is_read_up_to_its_limit(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("über")
    assert read_text(tmp_path / "a", 5) == "über"
    with pytest.raises(ValueError, match=r"a: 5 bytes, more than the limit of 4 bytes$"):
        read_bytes(tmp_path / "a", 4)
    with pytest.raises(FileNotFoundError):
        read_bytes(tmp_path / "b", 4)
    (tmp_path / "a").write_bytes(b"\xff")
    with pytest.raises(ValueError, match="a: not UTF-8"):
        read_text(tmp_path / "a", 4)


def test_a_file_that_grows_while_it_is_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_bytes(b"12345")
    small = os.stat_result((stat.S_IFREG, 0, 0, 1, 0, 0, 3, 0, 0, 0))
    monkeypatch.setattr(os, "fstat", lambda _: small)
    with pytest.raises(ValueError, match="more than the limit of 4 bytes"):
        read_bytes(tmp_path / "a", 4)


def special(folder: Path) -> dict[str, Path]:
    """Make one thing of each kind that is not a regular file."""
    (folder / "file").write_text("mine")
    (folder / "real").mkdir()
    (folder / "real" / "inside").write_text("mine")
    (folder / "link").symlink_to(folder / "file")
    (folder / "dangling").symlink_to(folder / "nothing")
    (folder / "device").symlink_to("/dev/zero")
    (folder / "linked").symlink_to(folder / "real")
    os.mkfifo(folder / "pipe")
    names = ("link", "dangling", "device", "pipe", "real")
    return {name: folder / name for name in names} | {"inside": folder / "linked" / "inside"}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("link", "link: a symbolic link, not a file"),
        ("dangling", "dangling: a symbolic link, not a file"),
        ("device", "device: a symbolic link, not a file"),
        ("pipe", "pipe: a named pipe, not a file"),
        ("real", "real: a folder, not a file"),
        ("inside", "inside: its folder is a symbolic link, which is not followed"),
    ],
)
def test_anything_else_is_neither_read_nor_written(tmp_path: Path, name: str, words: str) -> None:
    path = special(tmp_path)[name]
    with pytest.raises(ValueError, match=words):
        open_regular(path, 100)
    with pytest.raises(FileExistsError) as refused, open_to_append(path):
        pass
    assert (refused.value.errno, refused.value.filename) == (errno.EEXIST, str(path))
    assert refused.value.strerror in words
    assert (tmp_path / "file").read_text() == (tmp_path / "real" / "inside").read_text() == "mine"
    assert not (tmp_path / "nothing").exists()


def test_a_file_that_becomes_a_link_after_it_was_checked_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "there").write_text("secret")
    (tmp_path / "link").symlink_to("there")
    monkeypatch.setattr(files, "why_not", lambda path: None)
    with pytest.raises(OSError, match="symbolic links"):
        files.open_regular(tmp_path / "link", 100)


def test_what_is_appended_comes_last(tmp_path: Path) -> None:
    for text in (b"one\n", b"two\n"):
        with open_to_append(tmp_path / "log") as file:
            file.write(text)
    assert (tmp_path / "log").read_bytes() == b"one\ntwo\n"


def test_a_folder_is_made_below_a_link_but_not_through_one(tmp_path: Path) -> None:
    (tmp_path / "away").mkdir()
    (tmp_path / "root").symlink_to(tmp_path / "away")
    assert make_folder(tmp_path / "root", "a", "b").is_dir()
    assert (tmp_path / "away" / "a" / "b").is_dir()
    (tmp_path / "away" / "out").symlink_to(tmp_path)
    with pytest.raises(RequestError, match="out is a symbolic link, and nothing is written through one"):
        make_folder(tmp_path / "root", "out", "c")
    assert not (tmp_path / "c").exists()


def test_a_link_anywhere_in_a_run_is_refused(tmp_path: Path) -> None:
    refuse_links(tmp_path / "nothing")
    (tmp_path / "run" / ".hydra").mkdir(parents=True)
    refuse_links(tmp_path / "run")
    (tmp_path / "link").symlink_to(tmp_path / "run")
    with pytest.raises(RequestError, match="/link is a symbolic link"):
        refuse_links(tmp_path / "link")
    (tmp_path / "run" / ".hydra" / "config.yaml").symlink_to(tmp_path / "nothing")
    with pytest.raises(RequestError, match=r"/run/.hydra/config.yaml is a symbolic link"):
        refuse_links(tmp_path / "run")


def test_sizes_are_written_with_three_digits() -> None:
    assert [write_size(size) for size in (999, 4_000_000, 64_000_000, 3_100_000_000)] == [
        "999 bytes",
        "4 MB",
        "64 MB",
        "3.1 GB",
    ]


def test_the_limits_are_those_that_are_published() -> None:
    published = Path(__file__).parents[2].joinpath("SECURITY.md").read_text()
    sizes = (files.RESULT_LIMIT, files.TABLE_LIMIT, files.PREDICTIONS_LIMIT, files.ARRAYS_LIMIT)
    sizes += (files.CHECKPOINT_LIMIT, files.YAML_LIMIT, files.STUDY_LIMIT, LEAST_CHECKPOINT)
    counts = (result.KEYS, result.VALUE_LETTERS, formats.COLUMNS, formats.CELLS, formats.LINE)
    counts += (predictions.SAMPLES, predictions.OUTPUTS, COPIES, documents.DEPTH, documents.VALUES)
    for limit in (*map(write_size, sizes), *(f"{count:,}" for count in counts)):
        assert re.search(rf"\b{limit}\b", published), limit
