"""Every fenced block of README.md and docs/ does what it says, at a reduced size.

tests/docs/blocks.py says what the titles of blocks mean.
"""

import contextlib
import importlib.util
import itertools
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import yaml
from packaging.requirements import Requirement
from PIL import Image
from pyarrow import parquet

from dlx import api
from dlx.cli import main
from dlx.compose.request import compose
from dlx.report import write
from dlx.reproduce.claim import find_claims
from tests.docs.blocks import LANGUAGES, PAGES, ROOT, Block, blocks_of, page_name
from tests.docs.reference import parser_of

# How many blocks of a page a test cannot run. A new one is counted here, so that it is noticed.
NEEDS = {
    "docs/how-to/cluster.md": 2,
    "docs/how-to/model.md": 1,
    "docs/how-to/other-programs.md": 2,
    "docs/how-to/reproduce.md": 1,
    "docs/reproduction.md": 1,
}
WHOLE = "docs/how-to/teaching.md"  # moves between folders, so tests/grade/test_teaching_page.py runs it
EPOCHS = 3
SHORT = {"launcher": "launcher.processes=1", "data": "data.train_size=100"}
MYSTUDY = "model=mlp,mlp_bn optimizer.lr=0.001,0.01 seed=0,1,2 name=mystudy"


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_every_block_has_a_language_that_is_tested(page):
    text = page.read_text(encoding="utf-8")
    blocks = blocks_of(page)
    assert len(re.findall(r"^ *```", text, re.MULTILINE)) == 2 * len(blocks)
    assert {block.language for block in blocks} <= {*LANGUAGES}


def test_blocks_that_cannot_run_are_counted():
    found = {page_name(page): sum(block.needs for block in blocks_of(page)) for page in PAGES}
    assert {page: count for page, count in found.items() if count} == NEEDS


@pytest.mark.slow
@pytest.mark.parametrize(
    "page", [page for page in PAGES if blocks_of(page) and page_name(page) != WHOLE], ids=page_name
)
def test_the_blocks_of_a_page_run_in_their_order(page, folder, capsys):
    for block in blocks_of(page):
        if block.is_file:
            save(block)
        elif block.language == "yaml":
            assert isinstance(yaml.safe_load(block.text), dict)
        elif block.language == "python":
            exec(compile(block.text, page_name(page), "exec"), {})
        for words in block.commands if block.language == "console" else []:
            code = run(words, compose_only=block.needs or block.generated)
            said = capsys.readouterr()
            assert code == 0, f"{shlex.join(words)}\n{said.out}{said.err}"


@pytest.mark.slow
def test_parts_for_a_clone_can_be_registered(tmp_path):
    parts = [block for block in blocks_of(ROOT / "docs/how-to/extend.md") if ".register(" in block.text]
    assert len(parts) == 4
    for index, block in enumerate(parts):
        (tmp_path / f"part{index}.py").write_text(block.text)
    imports = "; ".join(f"import part{index}" for index in range(len(parts)))
    done = subprocess.run(
        [sys.executable, "-c", imports], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_table_of_another_program_gives_the_report_that_is_shown(folder, capsys):
    table, console = blocks_of(ROOT / "docs/how-to/other-programs.md")[:2]
    save(table)
    assert main(console.commands[0][1:]) == 0
    printed = [line.strip() for line in capsys.readouterr().out.splitlines()]
    shown = [line for line in console.text.splitlines()[1:] if line != "..."]
    assert shown == [line for line in printed if line in shown]


# --- what the pages find in their folder


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """Make a folder with the files and the study that the pages speak of."""
    folder = tmp_path_factory.mktemp("prepared")
    draws = np.random.default_rng(0)
    images, labels = draws.integers(0, 256, (60, 8, 8), dtype=np.uint8), np.arange(60) % 3
    np.savez(folder / "mine.npz", x_train=images, y_train=labels)
    numbers = draws.normal(size=(60, 5)).astype(np.float32)
    np.savez(folder / "houses.npz", X=numbers, y=numbers.sum(1) + 0.1)
    np.savez(folder / "genres.npz", X=numbers, y=(numbers[:, :3] > 0).astype(np.int64))
    rows = "".join(f"{i / 7},{i % 5},{'abc'[i % 3]}\n" for i in range(60))
    (folder / "iris.csv").write_text(f"length,width,species\n{rows}")
    (folder / "mnist").mkdir()
    columns = {"width": numbers[:, 0], "height": numbers[:, 1], "label": labels}
    parquet.write_table(pa.table(columns), folder / "mnist/train-00000-of-00001.parquet")
    (net,) = [each for each in blocks_of(ROOT / "docs/how-to/model.md") if each.title == "mynet.py"]
    (folder / "mynet.py").write_text(net.text)
    for name in "abc":
        (folder / "pictures" / name).mkdir(parents=True)
        for index in range(12):
            pixels = draws.integers(0, 256, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / "pictures" / name / f"{index}.png")
    with contextlib.chdir(folder):
        assert run(["dlx", "train"]) == 0
        assert run(["dlx", "train", *MYSTUDY.split()]) == 0
    return folder


@pytest.fixture
def folder(prepared, tmp_path, monkeypatch):
    """Stand in a copy of the prepared folder, where a run in Python is short, and no report is drawn."""
    shutil.copytree(prepared, tmp_path / "work")
    monkeypatch.chdir(tmp_path / "work")
    train = api.train
    monkeypatch.setattr(api, "train", lambda *words, **more: train(*words, *shortened([]), **more))
    monkeypatch.setattr(write, "render_page", lambda *_: ("the page", {}))  # most of a report's time
    return tmp_path / "work"


def save(block: Block) -> None:
    """Save a block under its title, after what was saved there before; check settings and claims."""
    path = Path(block.title)
    if path.parts[0] == "dlx":
        return  # a file of a clone
    path.parent.mkdir(parents=True, exist_ok=True)
    before = path.read_text() if path.is_file() and path.suffix == ".py" else ""
    path.write_text(before + block.text)
    if path.parts[0] == "conf":
        compose([f"{path.parent.name}={path.stem}"])
    elif path.suffix == ".yaml":
        assert find_claims([block.title])


# --- commands


def run(words: list[str], *, compose_only: bool = False) -> int:
    """Run one command of a page, or a short form of it; return its exit code."""
    program, *rest = words
    if program != "dlx":
        return check_other(words)
    verb, given = (rest[0], rest[1:]) if rest else ("", [])
    if verb == "train" and (compose_only or any(word.startswith("sweep=") for word in given)):
        compose(given)  # tests/test_conf.py trains every preset and every choice
        return 0
    if compose_only:
        parser_of(verb).parse(given)
        return 0
    if verb == "reproduce":  # its claims have tests of their own, and three epochs reproduce no figure
        return 0 if find_claims([word for word in given if word[0] != "-" and "=" not in word]) else 2
    if verb == "train":
        given = shortened(given)
    if "--watch" in given:  # it waits for a minute without news: tests/report/test_watch.py
        parser_of(verb).parse(given)
        given.remove("--watch")
    if verb == "report":  # of a preset's study, which was not trained
        given = [
            word if not word.startswith("outputs") or Path(word).exists() else "outputs/mystudy"
            for word in given
        ]
    try:
        return main([verb, *given] if verb else [])
    except SystemExit as ended:  # --help
        return int(ended.code or 0)


def shortened(words: list[str]) -> list[str]:
    """Return the words of `dlx train` for fewer epochs and samples, in this process."""
    if {"--help", "--cfg", "--info", "--dry-run"} & {*words}:
        return words
    epochs = [word for word in words if word.startswith("epochs=")]
    given = " ".join(words)
    kept = [word for word in words if word not in epochs]
    more = [word for key, word in SHORT.items() if f"{key}=" not in given and f"{key}." not in given]
    return [*kept, f"epochs={EPOCHS}", *more]


def check_other(words: list[str]) -> int:
    """Check a command that a test does not run: the extra, the target or the module exists."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    words = words[1:] if words[0] == "uv" else words
    if words[0] in ("git", "cd"):
        return 0
    if words[:2] == ["pip", "install"]:
        pairs = itertools.pairwise(words)
        wanted = [
            Requirement(word)
            for before, word in pairs
            if before[:2] != "--" and word != "install" and word[0] not in "-."
        ]
        return int(not all(each.extras <= {*project["optional-dependencies"]} for each in wanted))
    if words[0] == "make":
        targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        return int(words[1] not in targets)
    if "-m" in words:
        module = words[words.index("-m") + 1]
        return int(importlib.util.find_spec(module) is None)
    raise AssertionError(f"no test knows the program of: {shlex.join(words)}")
