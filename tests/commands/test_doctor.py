"""`dlx doctor`: what it looks at, and the remedy for each problem."""

import platform

import pytest

from dlx.cli import main
from dlx.commands import doctor


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DLX_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("DLX_DATA", raising=False)


def diagnosed(capsys, monkeypatch, *looks):
    """The exit code of some of the looks, and what they print."""
    every = doctor._looks()
    monkeypatch.setattr(doctor, "_looks", lambda: {look: every[look] for look in looks})
    code = main(["doctor"])
    return code, capsys.readouterr().out


def test_what_is_as_it_should_be_is_listed_with_exit_code_0(capsys, monkeypatch, tmp_path):
    own = tmp_path / "conf" / "model" / "mynet.yaml"
    own.parent.mkdir(parents=True)
    own.write_text("name: mlp\n")
    raw = tmp_path / "cache" / "data" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for part in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
        (raw / f"{part}-ubyte").write_bytes(b"x" * 500)
    looks = ("programs", "devices", "memory", "folders", "data sets", "extras", "your own conf/")
    code, printed = diagnosed(capsys, monkeypatch, *looks)
    assert code == 0
    rows = {line.split("  ")[0].strip() or line.split()[0]: line for line in printed.splitlines() if line}
    assert f"python {platform.python_version()}," in " ".join(rows["python"].split())
    assert rows["mnist"].endswith("  found")
    assert rows["cifar10"].endswith("not found: dlx data prepare cifar10")
    assert f"{tmp_path / 'cache'}, 2 kB, " in rows["cache"]
    assert rows["own conf/"].endswith(f"1 file in {tmp_path / 'conf'}")
    assert printed.endswith("\nno problem found\n")


def test_a_problem_is_printed_with_its_remedy_and_exit_code_1(capsys, monkeypatch, tmp_path):
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "train.yaml").write_text("a: [1\n")
    (tmp_path / "file").touch()
    monkeypatch.setenv("DLX_CACHE", str(tmp_path / "file" / "cache"))
    code, printed = diagnosed(capsys, monkeypatch, "folders", "your own conf/")
    assert code == 1
    assert (
        f"problem: {tmp_path / 'file'} cannot be written: Not a directory\n  remedy: set DLX_CACHE" in printed
    )
    assert "problem: conf/train.yaml, line 2: expected" in printed
    assert printed.endswith("\n2 problems\n")


def test_a_package_that_cannot_be_imported_and_little_memory_are_problems(capsys, monkeypatch):
    monkeypatch.setattr(doctor, "NEEDED", {"pydantic": "pydantic", "nosuch": "nosuch_module"})
    monkeypatch.setattr("dlx.device.available_bytes", lambda: 4e8)
    code, printed = diagnosed(capsys, monkeypatch, "programs", "memory")
    assert code == 1
    assert (
        "problem: nosuch: ModuleNotFoundError: No module named 'nosuch_module'\n  remedy: pip install"
        in printed
    )
    assert "problem: only 400 MB of memory is free\n  remedy: close other programs" in printed


@pytest.mark.slow
def test_the_renderer_draws(capsys, monkeypatch):
    code, printed = diagnosed(capsys, monkeypatch, "the renderer of plots")
    assert code == 0
    assert "vl-convert-python" in printed


@pytest.mark.parametrize(
    ("count", "written"), [(7, "7 B"), (2000, "2 kB"), (1.5e9, "1.5 GB"), (2e12, "2 TB")]
)
def test_bytes_are_written_with_three_digits(count, written):
    assert doctor._size(count) == written
