import json

import numpy as np
import pytest

from tests.golden import mask
from tests.golden.compare import compare, compare_texts, summary
from tests.golden.record import kept
from tests.golden.shorten import shorten

HISTORY = "epoch,time,val_loss\n0,0.01,2.5\n1,0.02,2.25\n"


def write(folder, files):
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def test_times_versions_and_the_machine_are_left_out():
    assert mask.csv_text(HISTORY) == "epoch,val_loss\n0,2.5\n1,2.25\n"
    result = {"time_seconds": 1.5, "versions": {"torch": "2"}, "last": {"time": 1, "val_loss": 0.25}}
    assert json.loads(mask.json_text(json.dumps(result))) == {"last": {"val_loss": 0.25}}


def test_the_seconds_of_a_table_are_left_out_of_report_json():
    tables = {"columns": ["runs", "seconds, mean"], "rows": [["2", "0.16"]], "notes": []}
    assert json.loads(mask.json_text(json.dumps(tables))) == {
        "columns": ["runs"],
        "rows": [["2"]],
        "notes": [],
    }


def test_the_seconds_of_a_markdown_and_of_a_latex_table_are_masked():
    markdown = "| runs | seconds (mean) |\n| --: | --: |\n| 2 | 0.16 |\n"
    assert mask.table_text(markdown) == "| runs | seconds (mean) |\n| --: | --: |\n| 2 | <seconds> |\n"
    latex = "runs & seconds \\\\\n & mean \\\\\n$2$ & $0.16$ \\\\\n"
    assert mask.table_text(latex) == "runs & seconds \\\\\n & mean \\\\\n$2$ & <seconds> \\\\\n"


def test_a_terminal_keeps_its_numbers_but_for_seconds_and_paths_and_the_order_of_progress():
    table = "run    loss   seconds\n─────────────────────\na    0.2500       0.2\n\nsee /tmp/x/y\n"
    text = mask.terminal_text(
        f"[2/2] b: val acc 0.5, 0.3 s\n1 of 2 runs ended, 60% of all epochs\n"
        f"[1/2] a: val acc 0.4, 12 s\n\n{table}",
        {"/tmp/x": "<x>"},
    )
    assert text.splitlines() == [
        "[1/2] a: val acc 0.4, <seconds> s",
        "[2/2] b: val acc 0.5, <seconds> s",
        "",
        "run    loss   seconds",
        "─────────────────────",
        "a    0.2500  <seconds>",
        "",
        "see <x>/y",
    ]


def test_an_array_is_kept_as_shape_type_and_hash_and_a_study_under_its_later_name(tmp_path):
    run = (
        write(tmp_path, {"a-study/run-1/history.csv": HISTORY, "a-study/run-1/train.log": "x"})
        / "a-study/run-1"
    )
    np.savez(run / "predictions.npz", labels=np.array([1, 2], dtype=np.uint8))
    files = dict(kept(tmp_path))
    assert list(files) == ["a_study/run-1/history.csv", "a_study/run-1/predictions.npz.json"]
    digest = "a12871fee210fb8619291eaea194581cbd2531e4b23759d225f6806923f63222"  # printf '\1\2' | sha256sum
    assert json.loads(files["a_study/run-1/predictions.npz.json"]) == {"labels": f"uint8[2] {digest}"}


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("history.csv", "epoch,loss\n1,0.25\n", "epoch,loss\n1,0.25000000000000006\n"),
        ("history.csv", "epoch,loss\n1,0.25\n", "epoch\n1\n"),
        ("history.csv", "epoch\n1\n2\n", "epoch\n1\n"),
        ("comparisons.csv", "verdict\nbetter\n", "verdict\nworse\n"),
        ("diagnosis.csv", 'numbers\n"{""epoch"": 3}"\n', 'numbers\n"{""epoch"": 4}"\n'),
        ("result.json", '{"last": {"loss": 1.0}}', '{"last": {"loss": null}}'),
        ("predictions.npz.json", '{"labels": "uint8[2] ab"}', '{"labels": "uint8[2] ac"}'),
        ("exit_codes.json", '{"1 dlx train": 0}', '{"1 dlx train": 1}'),
    ],
)
def test_a_changed_or_missing_value_is_a_number(file, old, new):
    (difference,) = compare_texts(file, old, new)
    assert difference.is_number
    assert not list(compare_texts(file, old, old))


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("terminal/1 train.txt", "2 runs\nfinished\n", "2 runs\ndone\n"),
        ("report.json", '{"finding": "This is better."}', '{"finding": "It is the best."}'),
        ("result.json", '{"config": {}}', '{"config": {"launcher": "local"}}'),
    ],
)
def test_sentences_other_texts_and_what_is_new_are_words(file, old, new):
    (difference,) = compare_texts(file, old, new)
    assert not difference.is_number


def test_a_sentence_with_another_number_says_so():
    (difference,) = compare_texts("table.md", "about 0.0116 too high", "about 0.012 too high")
    assert "numbers in it: 0.0116 -> 0.012" in str(difference)


def test_records_are_compared_in_the_requests_that_both_hold(tmp_path):
    before = write(tmp_path / "before", {"a/history.csv": "loss\n1\n", "a/gone.csv": "", "b/history.csv": ""})
    after = write(tmp_path / "after", {"a/history.csv": "loss\n2\n", "a/new.csv": ""})
    differences = compare(before, after)
    assert [difference.file for difference in differences] == ["a/gone.csv", "a/new.csv", "a/history.csv"]
    assert summary(differences) == "2 numbers differ, 1 words differ"


def test_a_short_record_leaves_prose_out_and_notices_any_other_change(tmp_path):
    files = {
        "machine.json": "{}",
        "a/study/run/history.csv": "loss\n1\n",
        "a/study/report/comparisons.csv": "p,sentence\n0.5,It is undecided.\n",
    }
    for name, change in {"same": "", "words": "It is", "loss": "1\n", "p": "0.5"}.items():
        changed = {file: text.replace(change, "7") if change else text for file, text in files.items()}
        shorten(write(tmp_path / name, changed), tmp_path / f"{name} short")
    found = {
        name: [item.is_number for item in compare(tmp_path / "same short", tmp_path / f"{name} short")]
        for name in ("words", "loss", "p")
    }
    assert found == {"words": [], "loss": [True], "p": [True]}
