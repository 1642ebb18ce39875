"""The runs on the page: their table, the details of each, and what is needed to reproduce them."""

import math
import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from dlx.report.analysis import Analysis
from dlx.report.design import Design
from dlx.report.formats import Column, Table
from dlx.report.text import MISSING, visible, write_count, write_metric, write_seconds, write_value
from dlx.run.documents import read_yaml
from dlx.run.files import YAML_LIMIT
from dlx.run.paths import HYDRA
from dlx.run.result import read_result

OVERRIDES = f"{HYDRA}/overrides.yaml"
ENVIRONMENTS = 4  # different ones that are described
Pairs = list[tuple[str, str]]


@dataclass(frozen=True)
class RunDetails:
    """One run, for the page's script; the keys are those of data.js.

    `rank`: of its setting in the table. `settings`: what varies, and the seeds. `findings`: on the run and on
    its setting. `address`: of its folder, relative to the page. `files`: the names of its files.
    """

    run: str
    rank: int
    status: str
    settings: Pairs
    findings: list[str]
    address: str
    files: list[str]


def ordered_runs(analysis: Analysis) -> list[dict[Any, Any]]:
    """Return the rows of StudyData.runs as they are listed: in the order of the table, then by name."""
    ranks, of_run = analysis.summary.ranks, analysis.design.of_run
    records = analysis.data.runs.reset_index().to_dict(orient="records")
    return sorted(records, key=lambda row: (ranks[of_run[row["run"]]], row["run"]))


def counts(analysis: Analysis) -> list[str]:
    """Return the numbers of runs and settings, how many did not complete, and the seeds."""
    data, design = analysis.data, analysis.design
    parts = [write_count(len(data.runs), "run"), write_count(len(design.rows), "setting")]
    statuses = data.runs["status"].value_counts()
    parts += [f"{statuses[status]} {status}" for status in ("diverged", "failed") if status in statuses]
    if data.running:
        parts.append(f"{len(data.running)} running")
    if data.left_out:
        parts.append(f"{len(data.left_out)} left out")
    if design.seeds:
        parts.append(f"averaged over {', '.join(visible(key) for key in design.seeds)}")
    return parts


def runs_table(analysis: Analysis) -> Table:
    """Return one row per run, in the order of the table."""
    design, metric = analysis.design, analysis.summary.metric
    seeds = design.seeds or ["seed"]
    name = metric.replace("_", " ")
    columns = [
        Column("run"),
        Column("setting"),
        *(Column(visible(key), numeric=True) for key in seeds),
        Column("status"),
        Column(name, "last epoch", numeric=True),
        Column("last epoch", numeric=True),
        Column(name, "best epoch", numeric=True),
        Column("best epoch", numeric=True),
        Column("seconds", numeric=True),
        Column("device"),
    ]
    rows = [
        [
            visible(row["run"]),
            design.labels[design.of_run[row["run"]]],
            *(write_value(analysis.data.settings[row["run"]].get(key)) for key in seeds),
            _status(row),
            write_metric(metric, row[f"{metric}_last"]),
            _epoch(row["last_epoch"]),
            write_metric(metric, row[f"{metric}_best"]),
            _epoch(row["best_epoch"]),
            write_seconds(row["seconds"]),
            write_value(row["device"]),
        ]
        for row in ordered_runs(analysis)
    ]
    if not analysis.data.source:
        return Table(columns, rows)
    kept = [index for index in range(len(columns)) if any(row[index] != MISSING for row in rows)]
    return Table([columns[index] for index in kept], [[row[index] for index in kept] for row in rows])


def _status(row: dict[Any, Any]) -> str:
    text = str(row["status"])
    if row["stopped_early"]:
        text += ", stopped early"
    return f"{text}: {visible(row['error'])}" if isinstance(row["error"], str) else text


def _epoch(value: float) -> str:
    return f"{value:.0f}" if math.isfinite(value) else MISSING


def run_details(analysis: Analysis, output: Path) -> list[RunDetails]:
    """Return the details of each run, in the order of `ordered_runs`; the page lies in `output`."""
    data, design, ranks = analysis.data, analysis.design, analysis.summary.ranks
    findings: dict[tuple[str, str], list[str]] = {}
    for finding in analysis.diagnosis.findings:
        findings.setdefault((finding.scope, finding.subject), []).append(visible(finding.sentence))
    details = []
    for row in ordered_runs(analysis):
        run, setting = row["run"], design.of_run[row["run"]]
        values = {visible(key): write_value(value) for key, value in design.rows[setting].items()}
        values |= {visible(key): write_value(data.settings[run].get(key)) for key in design.seeds}
        folder = Path(row["folder"])
        details.append(
            RunDetails(
                visible(run),
                ranks[setting],
                str(row["status"]),
                list(values.items()),
                [*findings.get(("run", run), []), *findings.get(("setting", design.labels[setting]), [])],
                "" if data.source else _address(folder, output),
                [] if data.source else _files(folder),
            )
        )
    return details


def _address(folder: Path, output: Path) -> str:
    """Return the relative URL of a folder, with its bytes quoted so that no name has a special meaning."""
    relative = os.path.relpath(folder.resolve(), output.resolve())
    return quote(os.fsencode(relative).replace(os.sep.encode(), b"/"))


def _files(folder: Path) -> list[str]:
    return sorted(visible(file.name) for file in os.scandir(folder) if file.is_file() and file.name[0] != ".")


def train_commands(analysis: Analysis) -> list[str]:
    """Return the command that trains each run again, in the order of `ordered_runs`.

    It consists of the words that Hydra recorded. Without that record it has the settings that vary, and a
    comment says so. Runs of other programs have none.
    """
    rows = [] if analysis.data.source else ordered_runs(analysis)
    return [visible(_command(str(row["run"]), Path(row["folder"]), analysis.design)) for row in rows]


def _command(run: str, folder: Path, design: Design) -> str:
    words = _recorded(folder)
    if words is not None:
        return shlex.join(["dlx", "train", *words])
    values = design.rows[design.of_run[run]]
    words = [f"{key.removesuffix('.name')}={write_value(value)}" for key, value in values.items()]
    return shlex.join(["dlx", "train", *words]) + "  # and the settings that all runs share"


def _recorded(folder: Path) -> list[str] | None:
    """Return the words of the request as Hydra wrote them; None if there is no such list."""
    try:
        words = read_yaml(folder / OVERRIDES, YAML_LIMIT)
    except (OSError, ValueError):
        return None
    return [str(word) for word in words] if isinstance(words, list) else None


def environments(analysis: Analysis) -> list[Pairs]:
    """Describe the machine and versions of one run for each device and torch version, for the first few."""
    first = analysis.data.runs.drop_duplicates(["device", "torch"])
    return [_environment(Path(folder)) for folder in first["folder"].head(ENVIRONMENTS)]


def _environment(folder: Path) -> Pairs:
    result = read_result(folder)
    if result is None:  # removed since it was loaded
        return []
    pairs: dict[str, Any] = {"device": result.device, "threads": result.threads}
    if isinstance(machine := getattr(result, "machine", None), dict):
        pairs |= machine
    pairs |= result.versions
    return [(visible(str(key)), write_value(value)) for key, value in pairs.items() if value is not None]


def data_facts(analysis: Analysis) -> Pairs:
    """Return the data sets, the sizes of their splits, the shape of a sample and the classes."""
    data = analysis.data
    if data.source:
        return []
    names = {write_value(values.get("data.name")) for values in data.settings.values()}
    facts = [("data", ", ".join(sorted(names)))]
    first = read_result(Path(data.runs["folder"].iloc[0]))
    if len(names) > 1 or first is None:
        return facts
    headings = {"train": "training samples", "val": "validation samples", "test": "test samples"}
    facts += [(text, write_value(first.data[key])) for key, text in headings.items() if key in first.data]
    if isinstance(shape := first.data.get("input_shape"), list):
        facts.append(("a sample", visible(" x ".join(map(str, shape)))))
    if isinstance(classes := first.data.get("classes"), list):
        facts.append(("classes", visible(", ".join(map(str, classes[:20]))) or MISSING))
    return facts
