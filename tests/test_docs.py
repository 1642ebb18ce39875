"""The documentation's examples do what it says."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from dlx.cli import main

GUIDE = Path(__file__).resolve().parents[1] / "docs" / "guide.md"


@pytest.mark.slow
def test_the_guides_components_can_be_registered(tmp_path):
    blocks = re.findall(r"^```python\n(.*?)^```", GUIDE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    components = [block for block in blocks if ".register(" in block]
    assert len(components) > 3
    for index, block in enumerate(components):
        (tmp_path / f"example{index}.py").write_text(block)
    imports = "; ".join(f"import example{index}" for index in range(len(components)))
    done = subprocess.run(
        [sys.executable, "-c", imports], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_guides_table_of_another_program_gives_the_report_that_it_shows(tmp_path, monkeypatch, capsys):
    text = GUIDE.read_text(encoding="utf-8").split("## A report from runs of another program")[1]
    table, console = (
        re.search(rf"^```{kind}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)[1] for kind in ("csv", "console")
    )
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs.csv").write_text(table)
    command, *shown = console.splitlines()
    assert main(shlex.split(command)[2:]) == 0
    printed = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert [line for line in shown if line != "..."] == [line for line in printed if line in shown]
