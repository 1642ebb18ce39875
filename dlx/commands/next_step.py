"""`dlx` alone: says what to do next in the current folder, from the studies that are in it."""

import shlex
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dlx.study.state import State

OUTPUTS = Path("outputs")
ENDED = ("completed", "diverged", "failed")

FIRST = """Nothing was trained in this folder yet. To begin, one of:
  dlx train model=mlp_bn                  one run, on bundled data
  dlx train model=mlp,mlp_bn seed=0,1,2   six runs: two networks, three seeds
  dlx init myproject                      a small project of your own"""
HELP = "dlx --help lists all commands."


def next_step() -> str:
    """Return what to do next: begin, go on with the newest study, look at it, or open its report."""
    from dlx.study.state import last_study

    study = last_study(OUTPUTS)
    return f"{FIRST if study is None else _of_study(study)}\n{HELP}"


def _of_study(folder: Path) -> str:
    from dlx.run.paths import RESULT
    from dlx.study.state import run_states
    from dlx.study.study import Study

    study = Study(folder)
    states = run_states(study)
    count = Counter(state.state for state in states)
    name = shlex.quote(str(folder))
    said = f"The newest study is {folder}: {_counted(count)}.\n"
    if count["training"] or count["stale"]:
        return f"{said}While it trains:\n  dlx status {name}\n  dlx report {name} --watch"
    if any(state.state not in ENDED for state in states) and study.requests:
        words = shlex.join(["dlx", "train", *study.requests[-1]["words"]])
        return f"{said}To go on where it stopped:\n  {words}"
    if not count["completed"]:
        return f"{said}To see why:\n  dlx status {name}"
    page = folder / "report" / "index.html"
    ended = max((folder / state.name / RESULT for state in states), key=_written)
    if _written(page) < _written(ended):
        return f"{said}To compare its runs:\n  dlx report {name}"
    return f"""{said}Its report is
  {page}
To read all of it here, or to score held-out data:
  dlx report {name} --details
  dlx evaluate {name}"""


def _counted(count: "Mapping[State, int]") -> str:
    """Write "9 runs, all completed" or "5 completed, 4 waiting"."""
    total = sum(count.values())
    runs = f"{total} run{'s' * (total != 1)}"
    if len(count) == 1:
        return f"{runs}, {'all ' * (total > 1)}{next(iter(count))}"
    return (
        f"{runs}, {', '.join(f'{number} {state}' for state, number in count.items())}"
        if count
        else "no run yet"
    )


def _written(path: Path) -> float:
    return path.stat().st_mtime if path.is_file() else 0.0
