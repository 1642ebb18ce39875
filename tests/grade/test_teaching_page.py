"""The how-to for teachers works as it is written, from an empty folder to the grades."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from dlx.cli import main
from dlx.grade.assignment import AskedFigure, Assignment

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "teaching.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
NAMED = re.compile(r"`([\w/]+\.(?:yaml|py))`:\s*$")


@pytest.mark.slow
def test_every_file_and_command_of_the_page_works(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)
    text = PAGE.read_text(encoding="utf-8")
    for block in BLOCK.finditer(text):
        kind, content = block.groups()
        if kind in ("yaml", "python"):
            path = tmp_path / NAMED.search(text[: block.start()])[1]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        for line in content.splitlines() if kind == "console" else ():
            if line.startswith("$ cd "):
                monkeypatch.chdir(line.removeprefix("$ cd "))
            elif line.startswith("$ dlx "):
                assert main(shlex.split(line)[2:]) == 0, line
            elif line.startswith("$ "):
                subprocess.run([shutil.which("bash"), "-c", line[2:]], check=True)
    said = capsys.readouterr().out
    assert "ben      0 of 3      0.4650 FAILS" in said
    assert "anna     3 of 3" in said
    assert "anna     4 of 4" in said
    assert "Findings were left out on request." in said


def test_the_page_names_every_key_of_the_file():
    rows = re.findall(r"^\| `([\w: ]+)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert {row.removeprefix("figures: ") for row in rows if row.startswith("figures: ")} == {
        *AskedFigure.model_fields
    } - {"metric"}
    assert {row for row in rows if ":" not in row} == {*Assignment.model_fields}
