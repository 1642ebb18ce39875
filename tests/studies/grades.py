"""How often `dlx grade` fails right and wrong solutions: `python -m tests.studies.grades FOLDER [SEEDS]`.

Trains one assignment and several wrong solutions of it in FOLDER with `dlx train`, over many seeds. Then
draws references of a few seeds and students of one seed, and judges the students as `dlx grade` does.
Axes: R references, S solutions, K seeds of a reference.
"""

import csv
import json
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from dlx.cli import main as dlx
from dlx.grade.assignment import AskedFigure
from dlx.grade.limits import Limits
from dlx.grade.work import read_work
from dlx.importers.foreign_run import Columns

ASSIGNMENT = (
    *("data=spirals", "model=mlp", "model.width=32", "optimizer=adam", "optimizer.lr=0.003"),
    *("schedule=cosine", "epochs=20", "keep=none", "launcher.processes=1"),
)
WRONG = {
    "no activation": "model.activation=none",
    "zero weights": "model.init=zeros",
    "lr x 10": "optimizer.lr=0.03",
    "lr / 10": "optimizer.lr=0.0003",
    "lr x 3": "optimizer.lr=0.01",
    "lr / 3": "optimizer.lr=0.001",
    "other loss": "loss=mean_squared_error",
    "150 samples": "data.train_size=150",
    "no shuffling": "shuffle=false",
}
RIGHT, OF_WRONG, FIRST_WRONG = 1000, 50, 100_000
FIGURES = (AskedFigure(metric="val_accuracy"), AskedFigure(metric="train_loss"))
LUCK = 0.01
SAMPLES = {"val_accuracy": 200, "train_loss": 600}
REFERENCES = 1000

Scores = Mapping[str, np.ndarray]  # by metric: one for each solution


def train(folder: Path, right: int = RIGHT, wrong: int = OF_WRONG) -> dict[str, Scores]:
    """Train right and wrong solutions, except finished ones, and return their scores by kind."""
    found = {}
    for kind, word in {"right": "", **WRONG}.items():
        first, count = (FIRST_WRONG, wrong) if word else (0, right)
        words = [f"seed=range({first},{first + count})", f"name={_study(kind)}", f"output_root={folder}"]
        assert dlx(["train", *ASSIGNMENT, *filter(None, [word]), *words]) in (0, 1), kind
        runs = read_work(folder / _study(kind), Columns())
        found[kind] = {
            figure.metric: np.array([run.value(figure.metric, figure.at) for run in runs])
            for figure in FIGURES
        }
    return found


def failing(right: Scores, solutions: Scores, seeds: int, references: int = REFERENCES) -> np.ndarray:
    """Return the share [R] of solutions that fail, for references of `seeds` right ones drawn at random."""
    random = np.random.default_rng([seeds, references])
    count = len(next(iter(right.values())))
    shares = []
    for _ in range(references):
        order = random.permutation(count)
        reference, others = order[:seeds], order[seeds:]
        failed: np.ndarray | bool = False
        for figure in FIGURES:
            values_S = solutions[figure.metric]
            values_S = values_S[others] if solutions is right else values_S
            limits = Limits(
                figure,
                right[figure.metric][reference].tolist(),
                LUCK / len(FIGURES),
                SAMPLES[figure.metric],
            )
            low, high = limits.interval(1)
            failed = failed | (values_S < low - 1e-9) | (values_S > high + 1e-9)
        shares.append(np.mean(failed))
    return np.array(shares)


def grade_a_class(folder: Path, right: int = 200, wrong: int = 50) -> tuple[int, int]:
    """Grade a class with `dlx grade` itself; return how many right and wrong submissions fail.

    The reference are the first 5 right solutions, the class the next ones, and wrong ones of all kinds but
    "no shuffling" in turn, which changes no figure.
    """
    runs = sorted(folder.glob("right/*-s*"), key=lambda path: int(path.name.split("-s")[1].split("-")[0]))
    kinds = [kind for kind in WRONG if kind != "no shuffling"]
    wrongs = [sorted(folder.glob(f"{_study(kind)}/*-s*")) for kind in kinds]
    place = folder / "class"
    shutil.rmtree(place, ignore_errors=True)
    for run in runs[:5]:
        shutil.copytree(run, place / "reference" / run.name)
    for index, run in enumerate(runs[5 : 5 + right]):
        shutil.copytree(run, place / "submissions" / f"right{index:03}" / run.name)
    for index in range(wrong):
        run = wrongs[index % len(kinds)][index // len(kinds)]
        shutil.copytree(run, place / "submissions" / f"wrong{index:03}" / run.name)
    figures = [{"metric": figure.metric} for figure in FIGURES]
    text = json.dumps({"assignment": "spirals", "luck": LUCK, "figures": figures})  # JSON is YAML
    (place / "reference.yaml").write_text(text)
    assert dlx(["grade", str(place / "submissions"), "--against", str(place / "reference.yaml")]) == 0
    with (place / "submissions-grades" / "grades.csv").open(newline="") as file:
        failed = [row["student_id"] for row in csv.DictReader(file) if row["passed"] == "false"]
    return tuple(sum(student.startswith(kind) for student in failed) for kind in ("right", "wrong"))


def _study(kind: str) -> str:
    return kind.replace(" ", "-").replace("/", "by")


def main(folder: Path, right: int) -> None:
    """Print the tables."""
    scores = train(folder, right)
    for seeds in (5, 10, 20):
        share_R = failing(scores["right"], scores["right"], seeds)
        quantiles = " / ".join(f"{100 * np.quantile(share_R, q):.2f}%" for q in (0.5, 0.9, 0.99))
        print(f"| {seeds} | {100 * share_R.mean():.2f}% | {quantiles} |", end="")
        print(
            "".join(f" {100 * failing(scores['right'], scores[kind], seeds).mean():.1f}% |" for kind in WRONG)
        )
    print("of 200 right and 50 wrong submissions fail:", *grade_a_class(folder))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else RIGHT)
