"""A study of four valid runs, made once a process, whose files are damaged and put back."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from dlx.cli import main
from dlx.study.study import FOLDER, Study

STUDY = Path("outputs/study")  # below the current folder
WORDS = """
data.train_size=40 data.val_size=20 data.test_size=20 batch_size=20 epochs=2 model.sizes=[4]
optimizer.lr=0.01,0.1 seed=0,1 keep=best name=study probes.layers=true probes.gradients=true
probes.steps=true probes.classes=true probes.logits=[1] probes.images=2 probes.train_samples=10
""".split()  # noqa: SIM905


@cache
def files() -> dict[str, bytes]:
    """Train the study below the current folder; return the content of its files by path below it."""
    assert main(["train", *WORDS]) == 0
    run = next(path.parent for path in sorted(STUDY.glob("*/result.json")))
    assert main(["evaluate", str(run), "--split", "val"]) == 0
    for cohort in Study(STUDY).cohorts:
        note = {"pid": 1, "host": "elsewhere", "since": "2026-01-01T00:00:00+00:00"}
        (STUDY / FOLDER / "held" / f"{cohort.key}.json").write_text(json.dumps(note))
    return {
        path.relative_to(STUDY).as_posix(): path.read_bytes()
        for path in sorted(STUDY.rglob("*"))
        if path.is_file() and path.name not in (".lock", "train.log")
    }


def whole() -> None:
    """Put the study back as it was."""
    content = files()
    if STUDY.is_symlink() or STUDY.exists():
        shutil.rmtree(STUDY)
    for name, written in content.items():
        (STUDY / name).parent.mkdir(parents=True, exist_ok=True)
        (STUDY / name).write_bytes(written)


def runs() -> list[str]:
    """Return the names of its runs."""
    return sorted(name.partition("/")[0] for name in files() if name.endswith("/result.json"))


@contextmanager
def damaged(name: str, content: bytes) -> Iterator[None]:
    """Give one of its files another content."""
    whole()
    (STUDY / name).write_bytes(content)
    yield
