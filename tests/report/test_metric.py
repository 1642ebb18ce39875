"""Reports rank by any column of the histories, with its own direction, name and unit."""

from typing import Any

import pytest

from dlx.errors import RequestError
from dlx.report.analysis import Options, analyse
from dlx.report.curves import trace
from dlx.report.load import load_study
from dlx.report.metric import find_ranking
from dlx.report.plots.learning_curves import curves_by_epoch

DECLARED = {"rmse": {"higher_is_better": False}, "kappa": {"higher_is_better": None}}


def write(study: Any, name: str, loss: str, seed: int, rmse: float, **changes: Any) -> None:
    """Write a run of a regression whose metrics are in its result and its history."""
    epochs = [(None, None, 2.0, None), (1.0, None, 1.0, None)]
    rows = [
        {
            "epoch": epoch,
            "val_loss": row[2],
            "val_rmse": rmse + 1 - epoch,
            "train_rmse": rmse,
            "val_kappa": 0.1,
        }
        for epoch, row in enumerate(epochs)
    ]
    folder = study.run(
        name,
        epochs,
        {"loss.name": loss, "monitor": "val_loss", **changes},
        seed=seed,
        metrics=DECLARED,
        last=rows[-1],
        best=rows[-1],
    )
    path = folder / "history.csv"
    header, *lines = path.read_text().splitlines()
    columns = [
        f"{line},{row['train_rmse']},{row['val_rmse']},{rmse / 10}"
        for line, row in zip(lines, rows, strict=True)
    ]
    path.write_text("\n".join([f"{header},train_rmse,val_rmse,val_perplexity", *columns]) + "\n")


@pytest.fixture
def numbers(study: Any) -> Any:
    for loss, rmse in (("huber", 0.5), ("mean_squared_error", 0.3)):
        for seed in range(3):
            write(study, f"{loss}{seed}", loss, seed, rmse + seed / 100)
    return study


def test_a_metric_is_asked_for_without_its_split_and_lower_errors_are_better(numbers: Any) -> None:
    analysis = numbers.analysis(metric="rmse")
    assert (analysis.summary.metric, analysis.summary.higher) == ("val_rmse", False)
    assert analysis.answer.sentence == (
        "mean_squared_error is best: validation root mean squared error 0.3100 on average over 3 runs, "
        "0.2 better than huber."
    )


def test_runs_with_different_losses_are_ranked_by_a_metric_that_they_share(numbers: Any) -> None:
    assert numbers.analysis().summary.metric == "val_rmse"


def test_runs_are_ranked_by_the_metric_that_they_monitored(study: Any) -> None:
    for seed in range(2):
        write(study, f"run{seed}", "huber", seed, 0.5, monitor="val_rmse")
    assert study.analysis().summary.metric == "val_rmse"


def test_a_direction_that_is_unknown_has_to_be_said(numbers: Any) -> None:
    with pytest.raises(RequestError, match="write --metric kappa:higher or --metric kappa:lower"):
        numbers.analysis(metric="kappa")
    assert not numbers.analysis(metric="kappa:lower").summary.higher
    with pytest.raises(RequestError, match="must end with :higher or :lower"):
        numbers.analysis(metric="kappa:up")


def test_a_column_that_only_the_history_has_can_rank(numbers: Any) -> None:
    ranking = find_ranking(load_study([numbers.folder]), "val_perplexity:lower")
    assert ranking.data.runs["val_perplexity_last"]["huber1"] == pytest.approx(0.051)
    assert numbers.analysis(metric="perplexity:lower").answer.sentence.startswith(
        "mean_squared_error is best"
    )


def test_a_metric_that_nothing_recorded_is_refused_with_those_that_are(numbers: Any) -> None:
    with pytest.raises(
        RequestError, match=r"'rsme'; did you mean 'rmse'\? \(recorded: val_loss, train_rmse, "
    ):
        analyse(load_study([numbers.folder]), Options(metric="rsme"))


def test_the_table_and_the_curves_show_the_metric_first_and_no_accuracy(numbers: Any) -> None:
    analysis = numbers.analysis()
    headings = [column.heading for column in analysis.table.columns]
    assert headings[2:] == [
        "val rmse",
        "against best",
        "val rmse",
        "best epoch",
        "train rmse",
        "val loss",
        "val kappa",
        "seconds",
    ]
    assert list(trace(analysis).axes)[:2] == ["rmse", "loss"]
    titles = [chart.title for chart in curves_by_epoch(analysis)]
    assert titles[0] == "Root mean squared error by epoch"
    said = " ".join([*titles, *(f"{one.kind} {one.reason}" for one in analysis.diagnosis.unchecked)])
    assert "ccuracy" not in said


def test_a_name_that_dlx_cannot_have_written_is_no_metric(study: Any) -> None:
    name = "<b>"
    row = {"epoch": 1, "val_loss": 1.0, f"val_{name}": 0.5}
    study.run("one", study.curve(0.5), metrics={name: {}}, last=row, best=row)
    assert load_study([study.folder]).metrics[4:] == ()


def test_studies_without_metrics_have_no_further_columns(study: Any) -> None:
    study.run("one", study.curve(0.5, 0.9))
    data = load_study([study.folder])
    assert data.metrics == ("train_loss", "train_accuracy", "val_loss", "val_accuracy")
    assert [name for name in data.runs if name.endswith("_last")] == [f"{name}_last" for name in data.metrics]
