"""What a request ran on is kept in the study: own source files, commit, uncommitted changes, packages."""

import subprocess
from importlib.metadata import distributions, version
from pathlib import Path

import pytest

from dlx.own.sources import forget_sources, own_sources
from dlx.study import source
from dlx.study.source import copy_of, record_source


def git(*words):
    identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
    return subprocess.run(
        ["git", *identity, *words], check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    forget_sources()
    Path("mynet.py").write_text("import nets.parts  # why\n")
    Path("nets").mkdir()
    Path("nets/parts.py").write_bytes(b"# -*- coding: latin-1 -*-\nname = '\xe9'\n")
    return tmp_path


@pytest.fixture
def repository(project):
    git("init", "-q")
    git("add", "-A")
    git("commit", "-qm", "first")
    return project


def test_the_users_source_files_are_copied_as_they_are():
    record_source(Path("source"), ["mynet:Net"])
    for name, own in own_sources("mynet:Net").items():
        assert copy_of(Path("source"), name, own.fingerprint).read_bytes() == Path(name).read_bytes()
    files = sorted(
        path.relative_to("source").as_posix().split("-")[0] for path in Path("source").rglob("*.*")
    )
    assert files == ["mynet", "nets/parts", "packages"]


def test_names_and_versions_are_those_that_the_packages_give():
    for package in distributions():
        assert source._pinned(package) == f"{package.name}=={package.version}"


def test_a_package_without_a_file_of_metadata_gives_its_name_by_itself(tmp_path):
    (tmp_path / "old_style.egg-info").write_text("Metadata-Version: 1.0\nName: old-style\nVersion: 1.5\n")
    (package,) = distributions(path=[str(tmp_path)])
    assert source._pinned(package) == "old-style==1.5"


def test_the_versions_of_the_packages_are_written_as_pip_does():
    record = record_source(Path("source"), [])
    assert f"torch=={version('torch')}" in Path("source", record["packages"]).read_text().splitlines()
    assert (record["commit"], record["patch"]) == (None, None)  # no repository


def test_the_commit_and_a_patch_bring_back_what_was_there(repository):
    assert record_source(Path("source"), [])["patch"] is None
    Path("nets/parts.py").write_text("name = 'e'\n")
    record = record_source(Path("source"), [])
    assert record["commit"] == git("rev-parse", "HEAD")
    git("checkout", "-q", "--", ".")
    git("apply", f"source/{record['patch']}")
    assert Path("nets/parts.py").read_text() == "name = 'e'\n"


def test_equal_records_are_kept_once(repository):
    Path("mynet.py").write_text("changed = True\n")
    first = record_source(Path("source"), ["mynet:Net"])
    files = {path: path.stat().st_mtime_ns for path in Path("source").rglob("*.*")}
    assert record_source(Path("source"), ["mynet:Net"]) == first
    assert {path: path.stat().st_mtime_ns for path in Path("source").rglob("*.*")} == files


def test_a_patch_that_is_too_large_is_left_out(repository, monkeypatch):
    monkeypatch.setattr(source, "LARGEST_PATCH", 100)
    Path("mynet.py").write_text("x = 1\n" * 50)
    record = record_source(Path("source"), [])
    assert record["commit"]
    assert record["patch"] is None


def test_a_patch_of_just_the_largest_size_is_kept(repository, monkeypatch):
    Path("mynet.py").write_text("x = 1\n" * 50)
    size = len(subprocess.run(["git", "diff", "HEAD", "--binary"], check=True, capture_output=True).stdout)
    monkeypatch.setattr(source, "LARGEST_PATCH", size)
    assert record_source(Path("source"), [])["patch"] is not None
    monkeypatch.setattr(source, "LARGEST_PATCH", size - 1)
    assert record_source(Path("source"), [])["patch"] is None


@pytest.mark.parametrize("script", [None, "exit 1", "exec sleep 60", "read answer; echo $answer"])
def test_without_a_git_that_answers_there_is_no_commit(repository, monkeypatch, script):
    programs = repository / "bin"
    programs.mkdir()
    if script:
        (programs / "git").write_text(f"#!/bin/sh\nPATH=/usr/bin:/bin\n{script}\n")
        (programs / "git").chmod(0o755)
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setattr(source, "SECONDS", 0.2)
    assert record_source(Path("source"), [])["commit"] is None
