"""The data of the page's script, as JSON: settings, runs, and every curve once, for all charts.

Axes: S settings (in the order of the table), R runs (in the order of `ordered_runs`), E epochs kept.
"""

import base64
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dlx.report.analysis import Analysis
from dlx.report.charts import Chart
from dlx.report.curves import Curves, metric_of, split_of, trace
from dlx.report.load import StudyData
from dlx.report.page.runs import RunDetails, ordered_runs
from dlx.report.plots.style import COLOURS, GREYS
from dlx.report.text import visible, write_value

VALUES = 1_000_000  # of curves on a page, four bytes each; with more, epochs are thinned
FACETS = 6  # keys that the tables can be filtered by
CHOICES = 30  # values of such a key


def page_data(analysis: Analysis, charts: Sequence[Chart], runs: Sequence[RunDetails]) -> dict[str, Any]:
    """Return the data; the keys are those of the typedefs in data.js."""
    data, design, table = analysis.data, analysis.design, analysis.summary.table
    rows = [design.rows[setting] for setting in table["setting"]]
    texts = [{key: write_value(value) for key, value in row.items()} for row in rows]
    choices = {key: list(dict.fromkeys(text[key] for text in texts)) for key in design.keys}
    facets = [key for key in design.keys if 1 < len(choices[key]) <= CHOICES][:FACETS]
    names = [str(row["run"]) for row in ordered_runs(analysis)]
    return {
        "settings": [
            {"label": label, "values": [text[key] for key in facets]}
            for label, text in zip(table["label"], texts, strict=True)
        ],
        "facets": [{"name": visible(design.names[key]), "choices": sorted(choices[key])} for key in facets],
        "runs": [asdict(run) for run in runs],
        "curves": _curves(data, len(table), trace(analysis, apart=True), names),
        "colours": list(COLOURS),
        "greys": GREYS,
        "charts": {chart.name: _unfilled(chart.spec) for chart in charts if chart.live},
    }


def script_json(data: dict[str, Any]) -> str:
    """Write JSON for an HTML script element, without any "<" that could end it."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _unfilled(spec: Any) -> Any:
    """Return a specification without the values of its named data: the page holds them once for all."""
    if isinstance(spec, list):
        return [_unfilled(each) for each in spec]
    if not isinstance(spec, dict):
        return spec
    named = {"name", "values"} <= spec.keys()
    return {key: _unfilled(value) for key, value in spec.items() if not (named and key == "values")}


def _curves(data: StudyData, settings: int, curves: Curves, runs: list[str]) -> dict[str, Any]:
    frames = (curves.estimates, curves.diverged)
    kinds = pd.concat([frame[["metric", "split"]] for frame in frames]).drop_duplicates()
    measured = sorted(kinds.itertuples(index=False, name=None), reverse=True)
    names = [f"{metric} {split}" for metric, split in measured]
    count = len(names) * (3 * settings + len(runs))
    step = max(curves.step, -(-count * (curves.epochs + 1) // VALUES))
    epochs_E = sorted({*range(0, curves.epochs + 1, step), curves.epochs})
    last = data.histories.groupby("run")["epoch"].max()
    return {
        "epochs": epochs_E,
        "axes": {name: [axis.low, axis.high] for name, axis in curves.axes.items()},
        "means": {
            f"{metric} {split}": _means(curves.of(metric=metric, split=split), settings, epochs_E)
            for metric, split in measured
        },
        "runs": _each_run(data, runs, epochs_E, names),
        "ends": [int(last.get(run, -1)) for run in runs],  # the last epoch, or -1 without a history
    }


def _means(curves: Curves, settings: int, epochs_E: list[int]) -> dict[str, Any]:
    frame = curves.estimates
    counts = frame.groupby("rank")["n"].max().reindex(range(settings), fill_value=0)
    kept = frame[frame["epoch"].isin(epochs_E)]
    at = kept["rank"].to_numpy(dtype="int64"), np.searchsorted(epochs_E, kept["epoch"])
    packed = {
        name: pack(_spread(kept[name], at, (settings, len(epochs_E)))) for name in ("mean", "low", "high")
    }
    return {"n": counts.astype("int64").tolist()} | packed


def _each_run(data: StudyData, runs: list[str], epochs_E: list[int], names: list[str]) -> dict[str, str]:
    """Return the packed values of the runs, [R, E], by name."""
    kept = data.histories[data.histories["epoch"].isin(epochs_E)]
    at = pd.Index(runs).get_indexer(pd.Index(kept["run"])), np.searchsorted(epochs_E, kept["epoch"])
    columns = {f"{metric_of(column)} {split_of(column)}": column for column in data.metrics if column in kept}
    shape = (len(runs), len(epochs_E))
    return {name: pack(_spread(kept[column], at, shape)) for name, column in columns.items() if name in names}


def _spread(values: "pd.Series[Any]", at: tuple[Any, Any], shape: tuple[int, int]) -> NDArray[np.float64]:
    """Return values in their rows and columns, with NaN elsewhere."""
    spread = np.full(shape, np.nan)
    spread[at] = values.to_numpy(dtype="float64")
    return spread


def pack(values: NDArray[np.float64]) -> str:
    """Return numbers as base64 of little-endian float32, row by row, with NaN for missing ones.

    Accuracies and losses are shown with four digits; float32 holds seven.
    """
    with np.errstate(over="ignore"):
        return base64.b64encode(np.asarray(values).astype("<f4").tobytes()).decode("ascii")
