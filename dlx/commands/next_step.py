"""`dlx` alone: says what to do next in the current folder, from the studies that are in it."""

import shlex
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from dlx.errors import list_words

OUTPUTS = Path("outputs")
ENDED = ("completed", "diverged", "failed")

FIRST = """Nothing was trained in this folder yet. To begin, one of:
  dlx train model=mlp_bn                         one run, on bundled data, in seconds
  dlx train model=mlp,mlp_bn seed=0,1,2          six runs: two networks, three seeds each
  dlx init myproject                             a small project of your own: network, data, settings"""
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
    has = list_words(f"{number} {state}" for state, number in count.items()) or "none yet"
    said = f"{folder}, the newest study, has {len(states)} run{'s' * (len(states) != 1)}: {has}."
    name = shlex.quote(str(folder))
    if count["training"] or count["stale"]:
        return f"{said}\n  dlx status {name}\n  dlx report {name} --watch"
    if any(state.state not in ENDED for state in states) and study.requests:
        words = shlex.join(["dlx", "train", *study.requests[-1]["words"]])
        return f"{said} To go on where it stopped:\n  {words}"
    if not count["completed"]:
        return f"{said} To see why:\n  dlx status {name}"
    page = folder / "report" / "index.html"
    ended = max((folder / state.name / RESULT for state in states), key=_written)
    if _written(page) < _written(ended):
        return f"{said} To compare them:\n  dlx report {name}"
    return f"{said} Its report is {page}. Next, one of:\n{_after_report(study.requests, name)}"


def _after_report(requests: Sequence[dict[str, object]], name: str) -> str:
    last = requests[-1]["words"] if requests else []
    words = [word for word in last if not word.startswith("seed=")] if isinstance(last, list) else []
    more = shlex.join(["dlx", "train", *words, "seed=range(10)"])
    return f"  {more}\n  dlx report {name} --details\n  dlx evaluate {name}"


def _written(path: Path) -> float:
    return path.stat().st_mtime if path.is_file() else 0.0
