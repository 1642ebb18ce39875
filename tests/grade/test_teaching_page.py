"""The how-to for teachers works as it is written, from an empty folder to the grades."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dlx.grade.assignment import AskedFigure, Assignment

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "teaching.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
NAMED = re.compile(r"`([\w/]+\.(?:yaml|py))`:\s*$")


@pytest.mark.slow
def test_every_file_and_command_of_the_page_works(tmp_path):
    text, place, said = PAGE.read_text(encoding="utf-8"), ".", ""
    for block in BLOCK.finditer(text):
        kind, content = block.groups()
        if kind in ("yaml", "python"):
            path = tmp_path / NAMED.search(text[: block.start()])[1]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        for line in content.splitlines() if kind == "console" else ():
            if line.startswith("$ cd "):
                place = line.removeprefix("$ cd ").replace("..", ".")
            elif line.startswith("$ "):
                said += run(line[2:], tmp_path / place)
    assert "ben      0 of 3      0.4650 FAILS" in said
    assert "anna     3 of 3" in said
    assert "anna     4 of 4" in said
    assert "Findings were left out on request." in said


def run(command, folder):
    """Run a line in a shell, in which `dlx` is the one that is tested; return what it prints."""
    shell = f'dlx() {{ "{sys.executable}" -m dlx "$@"; }}\n{command}'
    bash = shutil.which("bash")
    done = subprocess.run([bash, "-c", shell], cwd=folder, capture_output=True, text=True, check=False)
    graded = "dlx grade submissions" in command
    assert done.returncode == 0 or (graded and done.returncode == 1), (command, done.stdout, done.stderr)
    return done.stdout


def test_the_page_names_every_key_of_the_file():
    rows = re.findall(r"^\| `([\w: ]+)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert {row.removeprefix("figures: ") for row in rows if row.startswith("figures: ")} == {
        *AskedFigure.model_fields
    } - {"metric"}
    assert {row for row in rows if ":" not in row} == {*Assignment.model_fields}
