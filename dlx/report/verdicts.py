"""The comparisons as a table for the page and as CSV at full precision."""

from dataclasses import fields

from dlx.report.comparison import Comparison, Comparisons
from dlx.report.settings import Design
from dlx.report.tables import Column, Table, write_csv
from dlx.report.text import MISSING, write_metric
from dlx.report.wording import brief, write_interval, write_p

NUMBERS = [field.name for field in fields(Comparison) if field.name not in ("setting", "reference")]


def list_comparisons(comparisons: Comparisons, layout: Design) -> Table:
    """Return a row a comparison: those with the best, best first, then those with the baseline."""
    epoch = f"{comparisons.rule} epoch"
    heading = f"difference in {comparisons.metric.replace('_', ' ')}"
    columns = [
        Column("setting", "", 0, numeric=False),
        Column("against", "", 0, numeric=False),
        Column("shared seeds", "", 0, numeric=True),
        Column(heading, f"{epoch}, mean", 0, numeric=True),
        Column("95% interval", "of the difference", 0, numeric=True),
        Column("p", "sign flips", 0, numeric=True),
        Column("p", "Holm", 0, numeric=True),
        Column("verdict", "", 0, numeric=False),
    ]
    return Table(columns, [_cells(each, layout, comparisons.metric) for each in _every(comparisons)], [])


def comparisons_csv(comparisons: Comparisons, layout: Design) -> str:
    """Return every comparison at full precision, with labels for the places of settings."""
    rows = [
        [
            *(layout.labels[place] for place in (each.setting, each.reference)),
            "best" if each in comparisons.against_best else "baseline",
            comparisons.metric,
            comparisons.rule,
            comparisons.margin,
            *(getattr(each, name) for name in NUMBERS),
        ]
        for each in _every(comparisons)
    ]
    return write_csv(["setting", "reference", "reference_is", "metric", "rule", "margin", *NUMBERS], rows)


def _every(comparisons: Comparisons) -> list[Comparison]:
    return [*comparisons.against_best, *comparisons.against_baseline]


def _cells(each: Comparison, layout: Design, metric: str) -> list[str]:
    return [
        layout.labels[each.setting],
        layout.labels[each.reference],
        str(each.pairs),
        write_metric(metric, each.difference),
        write_interval(metric, each.low, each.high),
        write_p(each.p),
        write_p(each.p_holm),
        brief(each.verdict, each.pairs, each.further_seeds) if each.pairs else MISSING,
    ]
