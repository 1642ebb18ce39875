"""A study's runs in Python: what `dlx.train` and `dlx.load` return, and the report as a notebook shows it."""

import base64
import html
import io
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlx.errors import RequestError, nearest
from dlx.report.any_text import any_text
from dlx.report.load import Frames, StudyData, frames_of, load_any

if TYPE_CHECKING:
    import pandas as pd

    from dlx.report.analysis import Analysis, Options

EXTRA = "the charts need Altair: pip install 'dlx[notebook]'"


@dataclass(frozen=True, eq=False, repr=False)
class Results(Frames):
    """The runs of one or several studies as pandas frames, and what is computed from them.

    Attributes:
        runs: one row per run, indexed by `run`, its name: the swept keys and seeds by their dotted names,
            `status`, `<metric>_last` and `<metric>_best` (at the last epoch, and at the epoch that is best by
            the run's `monitor`), `last_epoch`, `best_epoch`, `seconds`, `parameters`, `epochs_run`,
            `stopped_early`, `device`, `torch`, `folder`, `error`. NaN where a run has no value. Accuracies
            are shares from 0 to 1.
        histories: one row per epoch: `run`, the swept keys, and the columns of `history.csv`
        settings: one row per run: all settings by their dotted names, and `choices.GROUP`, as typed
        swept: the keys that differ between runs and do not follow from another one; seeds come last
        left_out: by run, why it is missing from the frames
        running: by run, which epoch it has reached
        folders: where the runs were read
        data: what the report is made from
    """

    folders: list[Path]
    data: StudyData

    def __repr__(self) -> str:
        """Return the answer, if there is one, and what can be asked."""
        count = f"{len(self.runs)} run{'' if len(self.runs) == 1 else 's'}"
        where = ", ".join(map(str, self.folders))
        answer = (
            ""
            if self.data.runs.empty
            else f"\n{_analyse(self.data, _options(metric=self.data.score)).answer.sentence}"
        )
        return f"{count} in {where}{answer}\nSee .runs, .histories, .report(), .compare(), .plot()"

    def report(
        self,
        *,
        by: str | Sequence[str] = (),
        tune: str | Sequence[str] = (),
        baseline: str = "",
        metric: str = "",
        margin: float | None = None,
        output: "Path | str | None" = None,
    ) -> "Report":
        """Write the report as `dlx report` does, and return its answer, which a notebook shows.

        Args:
            by: group the runs by these keys; default: every key that varies, except for seeds
            tune: compare what `by` names, each with its best values of these keys
            baseline: also compare with this setting: "norm=none", or a label in the table
            metric: a column of `history.csv`, such as "val_loss"; default: the runs' monitor or the accuracy
            margin: the largest difference that does not matter, in the unit of the metric (0.01 of an
                accuracy is one point); differences shown to be smaller are called equivalent
            output: write here; default: `report/` in the first folder

        Raises:
            RequestError: if no run can be reported, or a key or setting does not exist
        """
        from dlx.report.folders import default_output
        from dlx.report.write import PAGE, write_report
        from dlx.study.looks import Looks

        options = _options(by, tune, baseline, metric or self.data.score, margin)
        where = Path(output) if output is not None else default_output(self.folders[0])
        looks = Looks(self.folders[0]) if len(self.folders) == 1 and not self.data.source else None
        analysis = write_report(
            self.folders,
            where,
            _command(self.folders, options),
            self.data,
            options=options,
            show=False,
            looks=looks,
        )
        return _report(analysis, where / PAGE)

    def compare(
        self,
        baseline: str = "",
        *,
        by: str | Sequence[str] = (),
        metric: str = "",
        margin: float | None = None,
    ) -> "pd.DataFrame":
        """Return a row for each comparison of a setting with the best and with `baseline`, and its verdict.

        Args:
            baseline: also compare with this setting
            by: group the runs by these keys
            metric: a column of `history.csv`
            margin: the largest difference that does not matter, in the unit of the metric

        Returns:
            The rows of `comparisons.csv`. `difference` is the mean of setting minus reference over `pairs`
            seeds, in the unit of the metric, and `low` to `high` its 95% interval. `p` is that of the paired
            t test, `p_holm` after the correction for all comparisons.

        Raises:
            RequestError: if a key or setting does not exist
        """
        import pandas as pd

        from dlx.report.tables import comparisons_csv

        analysis = _analyse(self.data, _options(by, (), baseline, metric or self.data.score, margin))
        return pd.read_csv(io.StringIO(comparisons_csv(analysis)))

    def plot(self, name: str = "answer", *, by: str | Sequence[str] = (), metric: str = "") -> Any:
        """Return one of the report's charts as an `altair.Chart`; needs `pip install 'dlx[notebook]'`.

        Args:
            name: "answer", or the name of a file in `report/plots/` without its ending
            by: group the runs by these keys
            metric: a column of `history.csv`

        Raises:
            RequestError: if these runs have no such chart; the message lists their names
        """
        from dlx.report.plots.answer import answer_chart
        from dlx.report.plots.gallery import gallery

        try:
            import altair
        except ImportError as error:
            raise RequestError(EXTRA) from error
        analysis = _analyse(self.data, _options(by, (), "", metric or self.data.score, None))
        charts = [chart for section in gallery(analysis).values() for chart in section]
        first = answer_chart(analysis)
        named = {chart.name: chart.spec for chart in charts}
        if first is not None:
            named |= {"answer": first.spec}
        specs = {name: spec for name, spec in named.items() if spec is not None}
        if name not in specs:
            known = ", ".join(specs)
            raise RequestError(f"there is no chart '{name}'{nearest(name, specs)} (these runs have: {known})")
        return altair.Chart.from_dict(specs[name])


@dataclass(frozen=True, eq=False, repr=False)
class Report:
    """What the report says first; printed in a terminal, shown in a notebook.

    Attributes:
        answer: which setting is best, and how sure that is
        next_step: what to do now; "" if nothing
        findings: at most three, which could change what you do
        table: one row per setting, best first; the columns of `table.csv`
        page: the file of the whole report
        picture: the picture of all runs, as SVG; empty if there is none
        shown: the table as HTML
    """

    answer: str
    next_step: str
    findings: list[str]
    table: "pd.DataFrame"
    page: Path
    picture: bytes
    shown: str

    def __repr__(self) -> str:
        """Return the answer in a few lines."""
        lines = [self.answer, *(f"- {finding}" for finding in self.findings)]
        return "\n".join([*lines, *([f"Next: {self.next_step}"] if self.next_step else []), str(self.page)])

    def _repr_html_(self) -> str:
        parts = [f"<p><b>{html.escape(self.answer)}</b></p>"]
        if self.picture:
            source = f"data:image/svg+xml;base64,{base64.b64encode(self.picture).decode()}"
            parts.append(f'<img style="max-width: 100%" alt="{html.escape(self.answer)}" src="{source}">')
        if self.findings:
            items = "".join(f"<li>{html.escape(finding)}</li>" for finding in self.findings)
            parts.append(f"<ul>{items}</ul>")
        if self.next_step:
            parts.append(f"<p>Next: {html.escape(self.next_step)}</p>")
        page = html.escape(str(self.page))
        return "\n".join([*parts, self.shown, f"<p>The whole report: <code>{page}</code></p>"])


@any_text()
def read_results(folders: Sequence[Path]) -> Results:
    """Read the runs at or below the folders, or of the newest study if none is given.

    Raises RequestError for a folder that does not exist.
    """
    from dlx.report.folders import find_folders

    found = find_folders(folders)
    data = load_any(found)
    frames = frames_of(data)
    values = {field.name: getattr(frames, field.name) for field in fields(Frames)}
    return Results(**values, folders=list(found), data=data)


def _options(
    by: str | Sequence[str] = (),
    tune: str | Sequence[str] = (),
    baseline: str = "",
    metric: str = "",
    margin: float | None = None,
) -> "Options":
    from dlx.report.analysis import Options

    return Options(_keys(by), _keys(tune), baseline, metric, margin)


def _keys(keys: str | Sequence[str]) -> tuple[str, ...]:
    return tuple(keys.split(",")) if isinstance(keys, str) and keys else tuple(keys)


def _analyse(data: StudyData, options: "Options") -> "Analysis":
    from dlx.report.analysis import analyse

    return analyse(data, options)


def _command(folders: Sequence[Path], options: "Options") -> str:
    """Return the command that makes the same report."""
    words = [*map(str, folders)]
    for flag in ("by", "tune"):
        if keys := getattr(options, flag):
            words += [f"--{flag}", ",".join(keys)]
    for flag in ("baseline", "metric"):
        if value := getattr(options, flag):
            words += [f"--{flag}", value]
    if options.margin is not None:
        words += ["--margin", str(options.margin)]
    return shlex.join(["dlx", "report", *words])


def _report(analysis: "Analysis", page: Path) -> Report:
    import pandas as pd

    from dlx.report.diagnosis.first_screen import most_important
    from dlx.report.page.render import PLOTS
    from dlx.report.plots.answer import answer_chart
    from dlx.report.tables import settings_csv

    answer, chart = analysis.answer, answer_chart(analysis)
    drawn = None if chart is None else page.parent / PLOTS / f"{chart.name}.svg"
    findings = [
        f"{each.subject}: {each.sentence}" if each.subject else each.sentence
        for each in most_important(analysis.diagnosis)
    ]
    table = analysis.table
    shown = pd.DataFrame(table.rows, columns=[column.heading for column in table.columns])
    return Report(
        answer=answer.sentence,
        next_step=answer.next_step,
        findings=findings,
        table=pd.read_csv(io.StringIO(settings_csv(analysis))),
        page=page,
        picture=drawn.read_bytes() if drawn is not None and drawn.is_file() else b"",
        shown=shown.to_html(index=False, escape=True, border=0),
    )
