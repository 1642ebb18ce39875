"""`dlx init`: a project that trains at once, and never overwrites."""

import re
from pathlib import Path

import pytest

from dlx.cli import main
from dlx.run.paths import find_runs
from dlx.run.result import read_result


def test_the_project_trains_and_is_reported_by_the_commands_of_its_readme(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["init", "my project"]) == 0
    assert "\n  cd 'my project'\n" in capsys.readouterr().out
    monkeypatch.chdir(tmp_path / "my project")
    commands = re.findall(r"^\$ dlx (.*?) +#", Path("README.md").read_text(), re.MULTILINE)
    assert [command.split()[0] for command in commands] == ["train", "train", "report"]
    assert main([*commands[0].split(), "epochs=1"]) == 0
    capsys.readouterr()
    assert main([*commands[1].split(), "--cfg", "job"]) == 0
    shown = capsys.readouterr().out
    assert "hidden: 32" in shown
    assert "path: mydata.npz" in shown
    (run,) = find_runs(Path("outputs"))
    assert read_result(run).status == "completed"


@pytest.mark.parametrize("there", ["mynet.py", "mydata.npz", "conf/data/mydata.yaml"])
def test_nothing_is_written_where_a_file_exists(there, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path(there).parent.mkdir(parents=True, exist_ok=True)
    Path(there).write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    assert main(["init"]) == 2
    assert f"'{there}' exists already; nothing was written" in capsys.readouterr().err
    assert sorted(tmp_path.rglob("*")) == before
    assert Path(there).read_text() == "mine"


def test_every_file_of_the_project_is_named_in_its_readme(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["init"]) == 0
    files = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert set(re.findall(r"^\| `([\w./]+\w)` \|", Path("README.md").read_text(), re.MULTILINE)) == files - {
        "README.md"
    }
