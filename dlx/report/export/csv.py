"""One CSV with a row for each epoch of each run, for pandas, R, a spreadsheet, or dlx itself."""

from dlx.report.analysis import Analysis
from dlx.report.export.runs import exported_runs
from dlx.report.formats import write_csv


def runs_csv(analysis: Analysis) -> str:
    """Return the settings that differ, the seeds, and the columns of history.csv, by run and epoch."""
    design = analysis.design
    keys = [*design.keys, *design.implied, *design.seeds]
    runs = list(exported_runs(analysis))
    if any("monitor" in run.settings for run in runs) and "monitor" not in keys:
        keys.append("monitor")
    metrics = list(dict.fromkeys(name for run in runs for *_, values in run.epochs for name in values))
    rows = [
        [
            *(run.name, run.status, run.seconds),
            *(run.settings.get(key) for key in keys),
            epoch,
            *(values.get(name) for name in metrics),
        ]
        for run in runs
        for epoch, _, values in (*run.epochs, *([] if run.epochs else [(None, 0.0, {})]))
    ]
    return write_csv(["run", "status", "seconds", *keys, "epoch", *metrics], rows)
