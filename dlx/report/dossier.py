"""Everything about one run in text, for the page: its settings, its findings, its files, its command."""

import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from dlx.report.aggregate import Summary
from dlx.report.diagnosis.finding import Diagnosis
from dlx.report.listing import ordered
from dlx.report.load import StudyData
from dlx.report.settings import Design
from dlx.report.text import visible, write_value


@dataclass(frozen=True)
class Dossier:
    """One run.

    `rank`: of its setting in the table. `settings`: what varies, with the seeds. `findings`: of the run and
    of its setting. `address`: its folder's, relative to the page. `files`: their names in it.
    """

    run: str
    rank: int
    status: str
    settings: list[tuple[str, str]]
    findings: list[str]
    address: str
    files: list[str]


def dossiers(
    study: StudyData, layout: Design, summary: Summary, diagnosis: Diagnosis | None, output: Path
) -> list[Dossier]:
    """Return one for each run, in the order in which they are listed; the page lies in `output`."""
    findings = _findings(diagnosis)
    rank = {int(setting): place for place, setting in enumerate(summary.table["setting"])}
    made = []
    for row in ordered(study, layout, summary):
        run, setting = row["run"], layout.of_run[row["run"]]
        values = {visible(key): write_value(value) for key, value in layout.rows[setting].items()}
        values |= {visible(key): write_value(study.settings[run].get(key)) for key in layout.seeds}
        folder = Path(row["folder"])
        made.append(
            Dossier(
                visible(run),
                rank[setting],
                str(row["status"]),
                list(values.items()),
                [*findings.get(("run", run), []), *findings.get(("setting", layout.labels[setting]), [])],
                _address(folder, output),
                _files(folder),
            )
        )
    return made


def _findings(diagnosis: Diagnosis | None) -> dict[tuple[str, str], list[str]]:
    found: dict[tuple[str, str], list[str]] = {}
    for finding in diagnosis.findings if diagnosis else []:
        found.setdefault((finding.scope, finding.subject), []).append(visible(finding.sentence))
    return found


def _address(folder: Path, output: Path) -> str:
    """Return the relative URL of a folder: its bytes quoted, so that no name is read as anything else."""
    relative = os.path.relpath(folder.resolve(), output.resolve())
    return quote(os.fsencode(relative).replace(os.sep.encode(), b"/"))


def _files(folder: Path) -> list[str]:
    return sorted(visible(file.name) for file in os.scandir(folder) if file.is_file() and file.name[0] != ".")
