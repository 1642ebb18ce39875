"""`dlx list [DIR]`: the studies below a folder, the newest first, with the best setting of each."""

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from dlx.commands.parser import Parser, any_path
from dlx.errors import RequestError
from dlx.report.design import find_design
from dlx.report.text import visible, write_metric
from dlx.run.documents import read_json
from dlx.run.files import RESULT_LIMIT
from dlx.run.format_version import NewerFormatError, refuse_newer
from dlx.run.identity import CHOICE, flatten
from dlx.run.paths import RESULT
from dlx.study.state import OUTPUTS, run_folders, studies_by_time
from dlx.study.study import Study

SUMMARY = """List the studies below a folder, the newest first. Shows when something was last written, how
many of the requested runs have ended, and the setting with the best mean at the last epoch."""

EXAMPLES = """
dlx list
dlx list ~/experiments
dlx list --json
"""

# Metrics that settings are ranked by, the first that any run has, and whether higher is better.
RANKED_BY = {"val_accuracy": True, "val_loss": False}
CHOICES = ("model", "optimizer")  # name a setting that is alone, by the words of the command line
LETTERS = 40  # of the best setting's name


@dataclass(frozen=True)
class Listed:
    """A study in a row: `done` of `asked` runs have ended, and `score` is the mean of the `best` setting."""

    study: str
    written: str  # ISO 8601, UTC
    done: int
    asked: int
    state: str
    best: str = ""
    metric: str = ""
    score: float | None = None


def main(arguments: Sequence[str]) -> int:
    """Run `dlx list` with these arguments and return 0. Raises RequestError where there is no study."""
    given = _parser().parse(arguments)
    root = given.folder or OUTPUTS
    if given.folder and not root.is_dir():
        raise RequestError(f"there is no folder '{visible(str(root))}'")
    found = studies_by_time(root) if root.is_dir() else {}
    if not found:
        raise RequestError(f"there is no study under {root}/; train one with `dlx train`, or name a folder")
    in_order = sorted(found.items(), key=lambda item: (-item[1], str(item[0])))
    listed = [_listed(study, written) for study, written in in_order]
    if given.json:
        print(json.dumps([asdict(each) for each in listed], indent=2))
    else:
        Console(highlight=False).print(_table(listed, root))
    return 0


def _parser() -> Parser:
    parser = Parser(
        "dlx list",
        SUMMARY,
        examples=EXAMPLES,
        exit_codes="0 done; 2 the request was wrong; 4 storage failed.",
    )
    parser.add_argument(
        "folder",
        metavar="DIR",
        nargs="?",
        type=any_path,
        help="a folder with studies in it (default: outputs/)",
    )
    parser.add_argument("--json", action="store_true", help="print the studies as JSON")
    return parser


def _listed(folder: Path, written: float) -> Listed:
    results = {name: each for name in run_folders(folder) if (each := _result(folder / name)) is not None}
    study = Study(folder)
    try:
        asked = {*study.runs} or {*results}
        training = any(study.is_held(cohort) for cohort in study.cohorts)
        state = "training" if training else _state(results, asked)
    except NewerFormatError:
        asked, state = {*results}, "of a newer dlx"
    except RequestError:  # its own files are damaged
        asked, state = {*results}, "damaged"
    time = datetime.fromtimestamp(written, UTC).isoformat(timespec="seconds")
    done = len(asked.intersection(results))
    return Listed(str(folder), time, done, len(asked), state, *_best(results))


def _result(run: Path) -> dict[str, Any] | None:
    """Return what is needed of a run's result; None if it has none. A check of it all takes far longer."""
    try:
        document = read_json(run / RESULT, RESULT_LIMIT)
        refuse_newer(run / RESULT, isinstance(document, dict) and document.get("format"))
    except (OSError, ValueError):
        return None
    whole = isinstance(document, dict) and isinstance(document.get("config"), dict)
    return document if whole and isinstance(document.get("last"), dict) else None


def _state(results: dict[str, dict[str, Any]], asked: set[str]) -> str:
    """Say in a word or two how a study stands that nobody trains: what needs a look comes first."""
    counts = Counter(str(results[name].get("status")) for name in asked if name in results)
    for status in ("failed", "diverged"):
        if counts[status]:
            return f"{counts[status]} {status}"
    return "completed" if asked <= {*results} else "unfinished"


def _best(results: dict[str, dict[str, Any]]) -> tuple[str, str, float | None]:
    """Return the label of the setting with the best mean at the last epoch, the metric and the mean.

    Only completed runs count. The label of a setting alone is its model and optimizer.
    """
    runs = {name: each for name, each in results.items() if each.get("status") == "completed"}
    for metric, higher in RANKED_BY.items():
        scored = {name: value for name, each in runs.items() if _is_number(value := each["last"].get(metric))}
        if not scored:
            continue
        design = find_design({name: _settings(runs[name]) for name in scored})
        by_setting = defaultdict(list)
        for name, value in scored.items():
            by_setting[design.of_run[name]].append(float(value))
        means = {setting: fmean(values) for setting, values in by_setting.items()}
        best = max(means, key=lambda setting: means[setting] if higher else -means[setting])
        values = _settings(next(iter(runs.values())))
        alone = ", ".join(filter(None, (_word(values, group) for group in CHOICES)))
        return design.labels[best] if len(design.rows) > 1 else alone, metric, means[best]
    return "", "", None


def _word(values: Mapping[str, Any], group: str) -> str:
    """Return the choice of a group as one trains with it: mlp_bn, or mynet:Net of one's own."""
    keys = (f"{group}.target", f"{CHOICE}{group}", f"{group}.name")
    return next((str(values[key]) for key in keys if values.get(key)), "")


def _settings(result: dict[str, Any]) -> dict[str, Any]:
    choices = result.get("choices")
    words = {f"{CHOICE}{group}": word for group, word in choices.items()} if isinstance(choices, dict) else {}
    return flatten(result["config"]) | words


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _table(listed: Sequence[Listed], root: Path) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("study", overflow="fold")
    table.add_column("written", no_wrap=True)
    table.add_column("runs", justify="right", no_wrap=True)
    table.add_column("state", no_wrap=True)
    table.add_column("best setting", overflow="fold")
    table.add_column("score", justify="right", no_wrap=True)
    for each in listed:
        path = Path(each.study)
        name = path.relative_to(root) if path != root and path.is_relative_to(root) else path
        colour = {"completed": "", "training": "cyan", "unfinished": "yellow"}.get(each.state, "red")
        table.add_row(
            Text(visible(str(name))),
            _time(each.written),
            f"{each.done}/{each.asked}",
            Text(each.state, style=colour),
            Text(_shortened(each.best)),
            "" if each.score is None else write_metric(each.metric, each.score),
        )
    metrics = {each.metric for each in listed if each.metric}
    table.columns[-1].header = "val loss" if metrics == {"val_loss"} else "val acc"
    if len(metrics) > 1:
        table.columns[-1].header = "score"
        table.caption = "The score is the validation accuracy, or the validation loss where there is none."
    return table


def _shortened(label: str) -> str:
    return label if len(label) <= LETTERS else f"{label[: LETTERS - 1]}\N{HORIZONTAL ELLIPSIS}"


def _time(written: str) -> str:
    return datetime.fromisoformat(written).astimezone().strftime("%Y-%m-%d %H:%M")
