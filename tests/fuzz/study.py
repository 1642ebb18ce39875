"""A study of four valid runs, made once a process, whose files are damaged and put back."""

import json
import shutil
from contextlib import suppress
from functools import cache
from itertools import count
from pathlib import Path

from dlx.cli import main
from dlx.study.cohort import train_cohort
from dlx.study.study import FOLDER, Study

STUDY = Path("outputs/study")  # below the current folder
WORDS = """
data.train_size=40 data.val_size=20 data.test_size=20 batch_size=20 epochs=2 model.sizes=[4]
optimizer.lr=0.01,0.1 seed=0,1 keep=best name=study probes.layers=true probes.gradients=true
probes.steps=true probes.classes=true probes.logits=[1] probes.images=2 probes.train_samples=10
checkpoint.every=1
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
    return _read()


class _Killed(BaseException):
    """Ends training as a signal would that cannot be caught."""


@cache
def files_begun() -> dict[str, bytes]:
    """Train the study again until it is killed in the second epoch; return the content of its files."""
    put({name: content for name, content in files().items() if name.startswith(FOLDER)})
    calls = count(1)

    def stop() -> None:
        if next(calls) == 5:  # before the second epoch's second step, after the first's checkpoint
            raise _Killed

    for cohort in Study(STUDY).cohorts:
        with suppress(_Killed):
            train_cohort(Study(STUDY), cohort, None, stop)
    return _read()


def _read() -> dict[str, bytes]:
    return {
        path.relative_to(STUDY).as_posix(): path.read_bytes()
        for path in sorted(STUDY.rglob("*"))
        if path.is_file() and path.name not in (".lock", "train.log") and path.suffix != ".lock"
    }


def put(content: dict[str, bytes]) -> None:
    """Make the study's folder hold these files and no other."""
    if STUDY.is_symlink() or STUDY.exists():
        shutil.rmtree(STUDY)
    for name, written in content.items():
        (STUDY / name).parent.mkdir(parents=True, exist_ok=True)
        (STUDY / name).write_bytes(written)


def runs() -> list[str]:
    """Return the names of its runs."""
    return sorted(name.partition("/")[0] for name in files() if name.endswith("/result.json"))
