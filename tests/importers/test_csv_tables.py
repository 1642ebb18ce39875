"""CSV tables of runs: which column means what, and one line where that is ambiguous."""

import random
from contextlib import suppress
from pathlib import Path

import pytest

from dlx.errors import RequestError
from dlx.importers.find import read_runs
from dlx.importers.foreign_run import Columns
from dlx.report.analysis import Analysis, Options, analyse
from dlx.report.foreign import load_foreign
from dlx.report.load import METRICS

ROWS = [("adam", 0.1, 0, 0.8), ("adam", 0.1, 1, 0.82), ("sgd", 0.1, 0, 0.7), ("sgd", 0.1, 1, 0.71)]


def table(folder: Path, header: str, *rows: str) -> Path:
    path = folder / "runs.csv"
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def means(path: Path, asked: Columns | None = None) -> dict[str, float]:
    """Return the mean of each setting, as the report has it."""
    reported = report(path, asked)
    column = f"{reported.summary.metric}_last_mean"
    return dict(zip(reported.summary.table["label"], reported.summary.table[column], strict=True))


def report(path: Path, asked: Columns | None = None) -> Analysis:
    return analyse(load_foreign([path], asked or Columns()), Options())


def refused(path: Path, asked: Columns | None = None) -> str:
    with pytest.raises(RequestError) as error:
        report(path, asked)
    return str(error.value)


def test_one_row_a_run_gives_the_means_of_its_settings(tmp_path: Path) -> None:
    path = table(tmp_path, "optimizer,lr,seed,accuracy", *(",".join(map(str, row)) for row in ROWS))
    assert means(path) == pytest.approx({"optimizer adam": 0.81, "optimizer sgd": 0.705})
    assert report(path).summary.higher


def test_the_columns_that_are_asked_for_are_used(tmp_path: Path) -> None:
    rows = [f"{name},{rate},{seed},{value},{1 - value}" for name, rate, seed, value in ROWS]
    path = table(tmp_path, "how,rate,repetition,result,cost", *rows)
    asked = Columns(("how",), ("repetition",), "result", higher=True)
    assert means(path, asked) == pytest.approx({"how adam": 0.81, "how sgd": 0.705})
    assert not report(path, Columns(("how",), ("repetition",), "cost", higher=False)).summary.higher


def test_one_row_an_epoch_gives_the_last_epoch_and_the_best(tmp_path: Path) -> None:
    rows = [
        f"{name},{seed},{epoch},{2 - 0.1 * epoch},{value - 0.02 * (epoch == 2)}"
        for name, _, seed, value in ROWS
        for epoch in range(3)
    ]
    path = table(tmp_path, "model,seed,epoch,train_loss,val_acc", *rows)
    reported = report(path).summary.table
    assert reported["val_accuracy_last_mean"].tolist() == pytest.approx([0.79, 0.685])
    assert reported["val_accuracy_best_mean"].tolist() == pytest.approx([0.81, 0.705])
    assert reported["best_epoch_max"].tolist() == [1, 1]  # the file counts from 0, dlx from 1
    assert reported["train_loss_last_mean"].tolist() == pytest.approx([1.8, 1.8])


def test_a_row_for_each_score_is_spread_into_columns(tmp_path: Path) -> None:
    rows = [f"{name},{seed},f1,{value}\n{name},{seed},loss,1" for name, _, seed, value in ROWS]
    assert means(table(tmp_path, "model,seed,metric,value", *rows)) == pytest.approx(
        {"model adam": 0.81, "model sgd": 0.705}
    )


def test_a_column_for_each_seed_needs_the_name_of_the_score(tmp_path: Path) -> None:
    path = table(tmp_path, "model,seed0,seed1", "adam,0.8,0.82", "sgd,0.7,0.71")
    assert "say which score it is, for example --metric accuracy" in refused(path)
    assert means(path, Columns(metric="accuracy")) == pytest.approx({"model adam": 0.81, "model sgd": 0.705})


def test_a_search_of_scikit_learn_has_a_column_for_each_split(tmp_path: Path) -> None:
    header = "mean_fit_time,param_C,split0_test_score,split1_test_score,mean_test_score,rank_test_score"
    path = table(tmp_path, header, "0.1,1,0.8,0.82,0.81,1", "0.2,10,0.7,0.71,0.705,2")
    assert means(path, Columns(("param_C",))) == pytest.approx({"param_C 1": 0.81, "param_C 10": 0.705})


def test_a_table_of_optuna_needs_the_direction_of_its_value(tmp_path: Path) -> None:
    rows = [f"{number},{value},2026-01-0{number + 1},{rate},COMPLETE"
            for number, (_, _, _, value) in enumerate(ROWS) for rate in (0.1 + number,)]  # fmt: skip
    path = table(tmp_path, "number,value,datetime_start,params_lr,state", *rows)
    reported = report(path, Columns(metric="value", higher=False))
    assert reported.design.keys == ["params_lr"]
    assert reported.summary.table["value_last_mean"].tolist() == [0.7, 0.71, 0.8, 0.82]


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_other_delimiters_and_a_byte_order_mark_are_read(delimiter: str, tmp_path: Path) -> None:
    path = table(tmp_path, "\ufeffmodel,seed,acc", "a,0,0.5", "a,1,0.6", "b,0,0.7", "b,1,0.9")
    path.write_text(path.read_text(encoding="utf-8").replace(",", delimiter), encoding="utf-8")
    assert means(path) == pytest.approx({"model a": 0.55, "model b": 0.8})


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_decimal_commas_are_read_between_other_delimiters(delimiter: str, tmp_path: Path) -> None:
    rows = [delimiter.join(map(str, row)).replace(".", ",") for row in ROWS]
    path = table(tmp_path, delimiter.join(("optimizer", "lr", "seed", "accuracy")), *rows)
    assert means(path) == pytest.approx({"optimizer adam": 0.81, "optimizer sgd": 0.705})


def test_commas_beside_decimal_points_are_no_decimal_commas(tmp_path: Path) -> None:
    rows = [f"{widths};{seed};{value}" for widths, _, seed, value in ROWS]
    rows = [row.replace("adam", "64,32").replace("sgd", "64,64") for row in rows]
    path = table(tmp_path, "widths;seed;accuracy", *rows)
    assert means(path) == pytest.approx({"widths 64,32": 0.81, "widths 64,64": 0.705})


def test_per_cent_becomes_a_fraction_and_a_line_says_so(tmp_path: Path) -> None:
    path = table(tmp_path, "model,seed,accuracy", "a,0,50", "a,1,60", "b,0,70", "b,1,90%")
    path.write_text(path.read_text().replace("90%", "90"))
    assert means(path) == pytest.approx({"model a": 0.55, "model b": 0.8})
    assert "Accuracy is in per cent there, and a fraction here." in load_foreign([path], Columns()).source


def test_without_seeds_the_runs_of_a_setting_are_numbered(tmp_path: Path) -> None:
    path = table(tmp_path, "model,accuracy", "a,0.5", "a,0.6", "b,0.7", "b,0.9")
    loaded = load_foreign([path], Columns())
    assert [values["seed"] for values in loaded.settings.values()] == [0, 1, 0, 1]
    assert "No seed" in loaded.source


def test_a_run_without_a_score_failed_and_one_that_lost_it_diverged(tmp_path: Path) -> None:
    rows = ["a,0,1,0.5", "a,0,2,0.6", "a,1,1,0.5", "a,1,2,nan", "a,2,1,", "a,2,2,"]
    loaded = load_foreign([table(tmp_path, "model,seed,epoch,val_acc", *rows)], Columns())
    assert loaded.runs["status"].tolist() == ["completed", "diverged", "failed"]


def test_a_random_search_over_the_learning_rate_is_a_setting(tmp_path: Path) -> None:
    rows = [f"{rate},{0.5 + rate}" for rate in (0.01, 0.02, 0.05, 0.1)]
    assert len(means(table(tmp_path, "lr,accuracy", *rows))) == 4


@pytest.mark.parametrize(
    ("header", "rows", "said"),
    [
        ("model,seed,accuracy,watt", ["a,0,0.5,1.5", "a,1,0.6,2.5", "b,0,0.7,3.5"], "watt differs in every"),
        ("model,seed,foo", ["a,0,1.5", "a,1,2.5", "b,0,3.5"], "name it, for example --metric foo:higher"),
        ("model,seed,val_f1,val_auc", ["a,0,0.5,0.6", "a,1,0.6,0.7"], "any of val_f1, val_auc may be the"),
        ("model,epoch,val_acc", ["a,1,0.5", "a,1,0.6"], "several rows have epoch 1 of a"),
        ("model,seed,accuracy", ["a,0,-3", "a,1,7"], "which is no share"),
        ("model,seed", ["a,0", "a,1"], "no column holds numbers"),
        ("model,model,accuracy", ["a,a,1"], "two columns are called 'model'"),
        ("model,accuracy", ["a"], "line 2 has 1 values, the header has 2"),
        ("model,accuracy", [], "it has no row below the header"),
    ],
)  # fmt: skip
def test_what_is_ambiguous_is_refused_in_a_line(
    header: str, rows: list[str], said: str, tmp_path: Path
) -> None:
    assert said in refused(table(tmp_path, header, *rows))


def test_hostile_cells_stay_text(tmp_path: Path) -> None:
    names = ["=cmd|'/C calc'!A0", "<script>alert(1)</script>", "__import__('os').system('x')"]
    rows = [f'"{name}",{seed},0.{seed + 5}' for name in names for seed in range(2)]
    loaded = load_foreign([table(tmp_path, "model,seed,accuracy", *rows)], Columns())
    assert {values["model"] for values in loaded.settings.values()} == set(names)


def test_names_of_scores_become_names_that_files_may_have(tmp_path: Path) -> None:
    rows = [f"{name},{seed},{value},{value}" for name, _, seed, value in ROWS]
    loaded = load_foreign(
        [table(tmp_path, "model,seed,val/../../acc,val\\acc", *rows)], Columns(metric="val\\acc")
    )
    assert loaded.score == "val_accuracy"
    assert set(loaded.metrics) - set(METRICS) == {"val_accuracy_2"}


def test_a_table_may_not_be_large_or_a_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = table(tmp_path, "model,seed,accuracy", *(f"a,{seed},0.5" for seed in range(100)))
    (tmp_path / "link.csv").symlink_to(path)
    assert "a symbolic link, not a file" in refused(tmp_path / "link.csv")
    monkeypatch.setattr("dlx.importers.table.CELLS", 299)
    assert "more than 299 values" in refused(path)
    monkeypatch.setattr("dlx.importers.table.TABLE_LIMIT", 50)
    assert "more than the limit of 50 bytes" in refused(path)


def test_random_letters_raise_nothing_but_a_request_error(tmp_path: Path) -> None:
    draw = random.Random(0)
    letters = 'seed,accuracy\n"\0é=0123456789.;-'
    for index in range(300):
        path = tmp_path / f"{index}.csv"
        path.write_text("".join(draw.choices(letters, k=draw.randrange(80))), encoding="utf-8")
        with suppress(RequestError):
            read_runs([path], Columns())
