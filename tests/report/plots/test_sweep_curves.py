"""Results against swept numbers: which keys count, means and ranges by value, axes that can show 0, lines."""

from typing import Any

import pytest

from dlx.report.plots.style import COLOURS
from dlx.report.plots.sweep_curves import against_key, final_results, numeric_values, results_by_value
from dlx.run.probes import STEPS, TABLES


def swept_key(analysed: Any, key: str) -> Any:
    analysis = analysed()
    return against_key(analysis, key, final_results(analysis))


def test_two_values_words_and_booleans_are_not_a_sweep(study: Any, drawn: Any) -> None:
    for index, (width, name) in enumerate(((1, "a"), (2, "b"), (1, "c"))):
        changes = {"model.width": width, "model.norm": name, "augment.flip": index == 1}
        study.run(f"r{index}", study.curve(0.5), changes)
    assert drawn(results_by_value) == {}


def test_means_and_ranges_by_value_and_line(study: Any, analysed: Any) -> None:
    for width in (16, 32, 64):
        for norm in ("none", "batch"):
            for seed, off in enumerate((0.0, 0.1)):
                accuracy = width / 100 + off + (0.05 if norm == "batch" else 0.0)
                study.run(
                    f"{width}{norm}{seed}",
                    study.curve(accuracy, accuracy - 0.01),
                    {"model.width": width, "model.norm": norm},
                    seed=seed,
                )
    swept = swept_key(analysed, "model.width")
    assert swept.lines == ["norm batch", "norm none"]
    rows = swept.frame.set_index(["measure", "line", "value"])
    row = rows.loc[("val_accuracy_last", "norm none", 32.0)]
    assert (row["mean"], row["low"], row["high"], row["n"]) == pytest.approx((0.36, 0.31, 0.41, 2))
    assert rows.loc[("val_accuracy_best", "norm none", 32.0), "mean"] == pytest.approx(0.37)
    assert rows.loc[("train_accuracy_highest", "norm none", 32.0), "mean"] == pytest.approx(0.38)
    assert rows.loc[("final_loss", "norm none", 32.0), "mean"] == pytest.approx(0.64)
    assert swept.spans["val_accuracy_last"] == swept.spans["val_accuracy_best"] == pytest.approx((0.15, 0.79))


@pytest.mark.parametrize(
    ("values", "scale"),
    [
        ((0.5, 0.9, 0.99), "linear"),
        ((0.001, 0.01, 0.1), "log"),
        ((0, 0.01, 0.2), "symlog"),
        ((0, 0.5, 0.9), "linear"),
        ((-1, 0.01, 10), "linear"),
    ],
)
def test_the_axis_is_logarithmic_beyond_a_decade_and_can_show_0(
    study: Any, analysed: Any, drawn: Any, values: tuple[float, ...], scale: str
) -> None:
    for value in values:
        study.run(f"v{value}", study.curve(0.5), {"augment.noise": value})
    swept = swept_key(analysed, "augment.noise")
    assert swept.scale == scale
    assert swept.smallest == min(value for value in values if value > 0)
    chart = drawn(results_by_value)["swept_augment_noise"]
    x = chart.spec["hconcat"][0]["layer"][0]["encoding"]["x"]
    assert x["scale"]["type"] == scale
    assert ("and also shows 0" in chart.caption) == (scale == "symlog")


def test_numbers_behind_a_word_are_swept(study: Any, analysed: Any, drawn: Any) -> None:
    for init in ("default", "normal:1e-4", "normal:0.01", "normal:1.0", "uniform:3"):
        study.run(init, study.curve(0.5), {"model.init": init})
    design = analysed().design
    read = {
        design.rows[index]["model.init"]: number
        for index, number in numeric_values(design, "model.init").items()
    }
    assert read == {
        "normal:1e-4": ("normal:", 1e-4),
        "normal:0.01": ("normal:", 0.01),
        "normal:1.0": ("normal:", 1.0),
    }
    chart = drawn(results_by_value)["swept_model_init"]
    assert chart.spec["hconcat"][0]["layer"][0]["encoding"]["x"]["axis"]["title"] == "init (normal:…)"


def test_a_setting_without_a_completed_run_is_counted(study: Any, analysed: Any, drawn: Any) -> None:
    for rate in (0.1, 0.2, 0.3):
        status = "diverged" if rate == 0.3 else "completed"
        study.run(f"lr{rate}", study.curve(0.5), {"optimizer.lr": rate}, status=status)
    assert sorted(set(swept_key(analysed, "optimizer.lr").frame["value"])) == [0.1, 0.2]
    assert (
        "Not shown: 1 setting without a completed run"
        in drawn(results_by_value)["swept_optimizer_lr"].caption
    )


def test_a_random_search_is_points_without_lines(study: Any, analysed: Any, drawn: Any) -> None:
    for index in range(4):
        changes = {"optimizer.lr": 0.1 + index / 7, "model.width": 10 + index}
        study.run(f"r{index}", study.curve(0.5), changes)
    assert swept_key(analysed, "optimizer.lr").lines == []
    charts = drawn(results_by_value)
    assert set(charts) == {"swept_optimizer_lr", "swept_model_width"}
    points, _ = charts["swept_optimizer_lr"].spec["hconcat"][0]["layer"]
    assert points["mark"]["type"] == "point"
    assert points["encoding"]["color"] == {"value": COLOURS[0]}


def test_the_final_loss_is_of_the_last_hundred_steps_where_every_run_has_them(
    study: Any, analysed: Any, write: Any
) -> None:
    folders = [study.run(f"r{index}", study.curve(0.5), {"optimizer.lr": 0.1 + index}) for index in range(3)]
    for folder in folders[:2]:
        write(folder / STEPS, TABLES[STEPS], [(step, 9.0 if step <= 50 else 2.0) for step in range(1, 151)])
    assert "final_step_loss" not in final_results(analysed())
    write(folders[2] / STEPS, TABLES[STEPS], [(step, 4.0) for step in range(1, 151)])
    assert final_results(analysed())["final_step_loss"].tolist() == [2.0, 2.0, 4.0]


def test_training_accuracy_at_epochs_ends_is_preferred(study: Any, analysed: Any) -> None:
    folder = study.run("a", study.curve(0.5, 0.4))
    lines = (folder / "history.csv").read_text().splitlines()
    extra = ["train_end_accuracy", "", "0.9", "0.7"]
    text = "".join(f"{line},{cell}\n" for line, cell in zip(lines, extra, strict=True))
    (folder / "history.csv").write_text(text)
    assert final_results(analysed())["train_accuracy_highest"].tolist() == [0.9]


def test_keys_of_hostile_names_make_plain_file_names(study: Any, drawn: Any) -> None:
    for index in range(3):
        study.run(f"r{index}", study.curve(0.5), {"model.:/<b>": 1.0 + index, "model.b": 3.0 - index**2})
    assert set(drawn(results_by_value)) == {"swept_model_b", "swept_model_b_1"}
