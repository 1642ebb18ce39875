import re
from pathlib import Path

import pytest

from dlx.data import source
from dlx.errors import RequestError


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch, tmp_path):
    monkeypatch.delenv("DLX_DATA", raising=False)
    monkeypatch.delenv("DLX_CACHE", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


def test_the_setting_comes_before_the_environment(monkeypatch):
    monkeypatch.setenv("DLX_DATA", "/environment")
    assert source.data_root("/setting") == Path("/setting")
    assert source.data_root(None) == Path("/environment")


def test_without_either_the_data_is_in_the_users_cache(monkeypatch):
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda name, appauthor: f"/caches/{name}")
    assert source.data_root(None) == Path("/caches/dlx/data")
    assert source.cache_root() == Path("/caches/dlx")


def test_the_environment_moves_the_cache_and_the_data_below_it(monkeypatch):
    monkeypatch.setenv("DLX_CACHE", "/scratch/dlx")
    assert source.cache_root() == Path("/scratch/dlx")
    assert source.data_root(None) == Path("/scratch/dlx/data")


def test_a_tilde_is_the_home_folder(tmp_path):
    assert source.data_root("~/sets") == tmp_path / "home" / "sets"


def test_a_relative_root_is_taken_from_the_current_folder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert source.data_root("sets") == tmp_path / "sets"


def test_a_path_is_below_the_root_unless_it_is_absolute(tmp_path):
    (tmp_path / "here").mkdir()
    assert source.below(tmp_path, "here") == tmp_path / "here"
    assert source.below(Path("/elsewhere"), str(tmp_path / "here")) == tmp_path / "here"


def test_files_of_ones_own_are_looked_for_where_one_stands(monkeypatch, tmp_path):
    monkeypatch.setenv("DLX_DATA", "/environment")
    monkeypatch.chdir(tmp_path)
    assert source.data_root(None, own=True) == tmp_path
    assert source.data_root("/setting", own=True) == Path("/setting")


def test_a_file_that_only_the_shared_folder_has_is_pointed_at(monkeypatch, tmp_path):
    (tmp_path / "mine.npz").touch()
    monkeypatch.setenv("DLX_DATA", str(tmp_path))
    with pytest.raises(RequestError, match=rf"; DLX_DATA holds one: add data\.root={tmp_path}"):
        source.below(tmp_path / "here", "mine.npz")


@pytest.mark.parametrize(
    ("path", "hint"),
    [("picturs", "did you mean 'pictures'?"), ("C:\\pictures", "write / between folders"), ("a/b/c", "b/c;")],
)
def test_a_path_that_is_not_there_gets_the_one_that_was_meant(tmp_path, path, hint):
    tmp_path.joinpath("pictures").mkdir()
    with pytest.raises(RequestError, match=re.escape(hint)):
        source.below(tmp_path, path)


def test_the_error_gives_the_full_path_that_does_not_exist(tmp_path):
    with pytest.raises(RequestError, match=rf"data\.path=nothing: there is no {tmp_path}/nothing"):
        source.below(tmp_path, "nothing")
