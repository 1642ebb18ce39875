"""`dlx reproduce` from end to end: trains, judges, writes the ledger, continues, and refuses mistakes."""

import csv
import re
from pathlib import Path

import pytest
from scipy.stats import ttest_rel

from dlx.cli import main
from dlx.run.result import read_result

CLAIM = """
claim: mine
title: two learning rates
source: "here"
overrides: [data.train_size=100, data.val_size=50, model.width=8, batch_size=25, epochs=2, optimizer=sgd]
grid: {optimizer.lr: [0.1, 0.0001]}
figures:
  - {where: {optimizer.lr: 0.1}, metric: val_accuracy, value: 0.2, width: 2}
  - {where: {optimizer.lr: 0.1}, metric: train_loss, at: 1, value: 99}
  - {pick: best, metric: val_accuracy, at: best, range: [0.0, null]}
  - {where: {optimizer.lr: 0.1}, metric: parameters, value: 606, tolerance: 0}
orders:
  - {better: {optimizer.lr: 0.1}, worse: {optimizer.lr: 0.0001}, metric: train_loss}
deviations: none
"""


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    Path("mine.yaml").write_text(CLAIM)


def reproduce(*arguments):
    return main(["reproduce", *arguments])


def ledger(folder="outputs/reproduction"):
    with Path(folder, "ledger.csv").open() as file:
        return list(csv.DictReader(file))


def runs(study="mine-reproduced"):
    return sorted(Path("outputs", study).glob("*/result.json"))


def without(*lines):
    return "\n".join(line for line in CLAIM.splitlines() if not any(word in line for word in lines))


def test_a_claim_is_trained_and_judged(capsys):
    assert reproduce("mine.yaml", "--seeds", "3") == 1  # one figure is absurd
    configs = [read_result(path.parent).config for path in runs()]
    points = sorted((c["optimizer"]["lr"], c["seed"], c["data"]["split_seed"]) for c in configs)
    assert points == [(lr, seed, seed) for lr in (0.0001, 0.1) for seed in range(3)]
    rows = ledger()
    assert [row["verdict"] for row in rows] == [
        *("REPRODUCED", "NOT REPRODUCED", rows[2]["verdict"], "REPRODUCED", "REPRODUCED")
    ]
    values = [c.last["val_accuracy"] for c in map(read_result, (p.parent for p in runs())) if at_rate(c, 0.1)]
    assert float(rows[0]["mean"]) == pytest.approx(sum(values) / 3)
    results = {
        (at_rate(c, 0.1), c.config["seed"]): c.last for c in map(read_result, (p.parent for p in runs()))
    }
    losses = [[results[fast, seed]["train_loss"] for seed in range(3)] for fast in (True, False)]
    assert float(rows[4]["p"]) == pytest.approx(ttest_rel(*losses).pvalue)
    assert float(rows[4]["mean"]) < 0  # the difference of losses
    printed = capsys.readouterr().out
    shown = printed[printed.index("Of 5 published statements") :]
    assert max(map(len, shown.splitlines()[:-1])) <= 80
    assert "It is reproduced if the two-sided t test" in re.sub(r"\s+", " ", shown)


def at_rate(result, lr):
    return result.config["optimizer"]["lr"] == lr


def test_pick_best_takes_the_best_run_of_each_seed_by_its_monitor():
    reproduce("mine.yaml", "--seeds", "2")
    best: dict[int, float] = {}
    for result in (read_result(path.parent) for path in runs()):
        seed = result.config["seed"]
        best[seed] = max(best.get(seed, 0.0), result.best["val_accuracy"])
    row = ledger()[2]
    assert (row["completed"], row["runs"]) == ("2", "4")
    assert float(row["mean"]) == pytest.approx(sum(best.values()) / 2)


def test_finished_runs_are_kept_when_seeds_are_added(capsys):
    reproduce("mine.yaml", "--seeds", "2")
    before = {path: path.stat().st_mtime_ns for path in runs()}
    capsys.readouterr()
    reproduce("mine.yaml", "--seeds", "3")
    assert len(runs()) == 6
    assert {path: path.stat().st_mtime_ns for path in runs() if path in before} == before
    assert ledger()[0]["completed"] == "3"


def test_other_runs_in_the_study_do_not_count():
    assert (
        main(
            [
                "train",
                *re.search(r"overrides: \[(.*)\]", CLAIM)[1].split(", "),
                "seed=9",
                "name=mine-reproduced",
            ]
        )
        == 0
    )
    reproduce("mine.yaml", "--seeds", "2")
    assert len(runs()) == 5
    assert ledger()[0]["runs"] == "2"


def test_exit_code_0_if_nothing_is_contradicted_and_the_users_settings_are_shown(capsys):
    Path("mine.yaml").write_text(without("value: 99", "tolerance"))
    assert reproduce("mine.yaml", "--seeds", "2", "model.width=6", "output_root=elsewhere") == 0
    configs = [
        read_result(path.parent).config for path in Path("elsewhere/mine-reproduced").glob("*/result.json")
    ]
    assert {config["model"]["width"] for config in configs} == {6}
    assert "run with model.width=6" in ledger("elsewhere/reproduction")[0]["deviations"]
    assert "with model.width=6 output_root=elsewhere" in re.sub(r"\s+", " ", capsys.readouterr().out)


def test_the_ledger_is_written_into_the_output_folder(tmp_path):
    reproduce("mine.yaml", "--seeds", "2", "--output", "there/ledger")
    assert sorted(path.name for path in Path("there/ledger").iterdir()) == [
        "index.html",
        "ledger.csv",
        "ledger.md",
    ]
    assert not Path("outputs/reproduction").exists()


def test_the_page_loads_nothing_and_escapes_what_a_claim_says():
    text = CLAIM.replace("deviations: none", "deviations: '<script>alert(1)</script>[/]'")
    Path("mine.yaml").write_text(text)
    reproduce("mine.yaml", "--seeds", "2")
    page = Path("outputs/reproduction/index.html").read_text()
    assert "default-src 'none'" in page
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;[/]" in page
    assert not re.findall(r"""(?:src|href|action)\s*=\s*["']?\s*(?:\w+:)?//""", page)
    assert "dlx reproduce mine.yaml --seeds 2" in page
    assert "two learning rates; here" in page
    markdown = Path("outputs/reproduction/ledger.md").read_text()
    assert "name=mine-reproduced" in markdown
    assert "NOT REPRODUCED" in markdown


def test_diverged_runs_are_counted_but_give_no_values():
    text = CLAIM.replace("[0.1, 0.0001]", "[1e30, 0.0001]").replace("0.1}", "1e30}")
    Path("mine.yaml").write_text(text.replace("epochs=2", "epochs=5"))
    assert reproduce("mine.yaml", "--seeds", "2") == 0
    row = ledger()[0]
    assert (row["runs"], row["diverged"], row["completed"]) == ("2", "2", "0")
    assert row["verdict"] == "UNDERPOWERED"
    assert row["note"] == "an interval needs 2 completed runs"
    assert "2 of 2 runs diverged" in Path("outputs/reproduction/ledger.md").read_text()


BREAKS = """
import torch
def Net(input_shape, outputs):
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, outputs))
    steps = []
    def fail(module, inputs):
        steps.extend([1] * module.training)
        if len(steps) > 2:  # one step is tried before training
            raise RuntimeError("planted")
    net.register_forward_pre_hook(fail)
    return net
"""


def test_a_failed_run_is_counted_and_gives_exit_code_1():
    Path("breaks_reproduced.py").write_text(BREAKS)
    text = without("value: 99", "tolerance", "range").replace(
        "model.width=8", "model=custom, model.target=breaks_reproduced:Net"
    )
    Path("mine.yaml").write_text(text)
    assert reproduce("mine.yaml", "--seeds", "2", "--trust") == 1
    assert (ledger()[0]["failed"], ledger()[0]["verdict"]) == ("2", "UNDERPOWERED")


def test_a_claim_that_cannot_be_run_does_not_stop_the_others(capsys):
    Path("other.yaml").write_text(
        CLAIM.replace("claim: mine", "claim: other").replace("epochs=2", "epochs=0")
    )
    assert reproduce("other.yaml", "mine.yaml", "--seeds", "2") == 2
    assert {row["claim"] for row in ledger()} == {"mine"}
    assert "other was not run: epochs=0: " in re.sub(r"\s+", " ", capsys.readouterr().out)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["mine.yaml", "optimizer.lr=0.1"], "no run has lr 0.0001 (optimizer.lr is 0.1)"),
        (["mine.yaml", "epochs=1,2"], "name more keys, or use pick: best"),
    ],
)
def test_a_wrong_request_is_one_line_and_leaves_nothing(words, said, capsys):
    assert reproduce(*words) == 2
    line = capsys.readouterr().err
    assert said in line
    assert line.startswith("dlx reproduce: error: ")
    assert line.count("\n") == 1
    assert not Path("outputs").exists()


@pytest.mark.parametrize("width", ["80", "120"])
def test_the_list_names_every_experiment_and_how_to_run_it(width, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", width)
    assert reproduce("--list") == 0
    printed = capsys.readouterr().out
    assert max(map(len, printed.splitlines())) <= int(width)
    ids = re.findall(r"^([A-E]\d+) ", printed, re.MULTILINE)
    assert ids == [
        *(f"A{n}" for n in range(1, 11)),
        *(f"B{n}" for n in range(1, 6)),
        *(f"C{n}" for n in range(1, 8)),
        *(f"D{n}" for n in range(1, 4)),
        *(f"E{n}" for n in range(1, 10)),
    ]
    assert "fashion_learning_rate" in printed
    assert re.search(r"^  B5 +dlx check$", printed, re.MULTILINE)
    assert re.search(r"^  D2 +dlx train sweep=mnist_ten_nets$", printed, re.MULTILINE)
