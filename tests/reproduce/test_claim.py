"""Claims: what a file may hold, one line for each mistake, and the packaged ones fit their presets."""

from pathlib import Path

import pytest

from dlx.compose.composer import config_folder
from dlx.compose.request import compose
from dlx.errors import RequestError
from dlx.reproduce.claim import FOLDER, find_claims, packaged_claims, read_claim
from dlx.reproduce.rerun import check_claim, planned_run, train_words

GOOD = """
claim: mine
source: "a course, section 1"
overrides: [data=digits, epochs=2]
grid: {optimizer: [sgd, adam], optimizer.lr: [0.1, 1e-4]}
figures:
  - {where: {optimizer: sgd, optimizer.lr: 0.1}, metric: val_accuracy, at: last, value: 0.810156}
orders:
  - {better: {optimizer: sgd, optimizer.lr: 0.1}, worse: {optimizer: adam, optimizer.lr: 0.1},
     metric: val_accuracy, at: 2}
deviations: none
"""


def read(tmp_path, text):
    (tmp_path / "mine.yaml").write_text(text)
    return read_claim(tmp_path / "mine.yaml")


def refused(tmp_path, text):
    with pytest.raises(RequestError) as caught:
        read(tmp_path, text)
    line = str(caught.value)
    assert line.startswith(f"{tmp_path}/mine.yaml: ")
    assert "\n" not in line
    return line


def test_a_claim_is_read_as_written(tmp_path):
    claim = read(tmp_path, GOOD)
    assert (claim.label, claim.seeds, claim.deviation_text) == ("mine", 5, "")
    assert claim.grid["optimizer.lr"] == [0.1, 1e-4]
    assert (claim.figures[0].value, claim.figures[0].at, claim.orders[0].at) == (0.810156, "last", 2)
    listed = GOOD.replace("deviations: none", "deviations: [one, two]\nid: Z3")
    assert read(tmp_path, listed).deviation_text == "one; two"
    assert read(tmp_path, listed).label == "Z3"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            "figures:",
            "figurs:",
            ["figurs=", "there is no such key; did you mean 'figures'?", "allowed: claim,"],
        ),
        ("metric: val_accuracy, at: last", "metrik: x", ["figures.0.metrik='x'", "did you mean 'metric'?"]),
        ("better: {", "beter: {", ["orders.0.beter=", "did you mean 'better'?", "allowed: at, better,"]),
        ("at: last", "at: lst", ["figures.0.at", "'lst'", "one of last, best, test"]),
        ("at: last", "at: -1", ["figures.0.at", "-1"]),
        ("value: 0.810156", "value: high", ["figures.0.value='high'", "number"]),
        (", value: 0.810156", "", ["figures.0", "either value or range"]),
        ("value: 0.810156", "range: [0.9, 0.1]", ["figures.0", "from the lower to the higher end"]),
        ("value: 0.810156", "range: [null, null]", ["figures.0", "at least one end"]),
        (
            "value: 0.810156",
            "value: 1, tolerance: -1",
            ["figures.0.tolerance=-1", "must be 0 or more"],
        ),
        ("metric: val_accuracy, at: last, value: 0.810156", "metric: val_loss, value: 0", ["needs a width"]),
        ("worse: {", "equal: [{}, {}], worse: {", ["orders.0", "either better and worse, or equal"]),
        ("worse: {optimizer: adam, optimizer.lr: 0.1},\n", "\n", ["orders.0", "either better and worse"]),
        (", at: 2}", ", margin: 0.1}", ["orders.0", "equal needs a margin"]),
        ("claim: mine", f"claim: mine\nseeds: {10**19}", ["seeds=1", "must be 1000 or less"]),
        ("claim: mine", "claim: ../x", ["claim='../x'", "folder"]),
        ("claim: mine", "id: 7\nclaim: mine", ["id=7", "must be text"]),
        ("claim: mine\n", "", ["claim: needs a value"]),
        ("epochs=2", "epochs", ["overrides", "'epochs' is not of the form KEY=VALUE"]),
        ("epochs=2", "seed=2", ["overrides", "'seed=2': set it by the claim's own key 'seeds'"]),
        ("[sgd, adam]", "[]", ["grid.optimizer=[]", "must not be empty"]),
        ("claim: mine", "claim: mine\nclaim: yours", ["not a claim", "duplicate key"]),
        ("claim: mine", "claim: [", ["not a claim"]),
    ],
)
def test_a_mistake_is_one_line_with_file_key_value_and_what_is_allowed(tmp_path, old, new, words):
    assert old in GOOD
    line = refused(tmp_path, GOOD.replace(old, new, 1))
    assert all(word in line for word in words), line


@pytest.mark.parametrize("text", ["- 1\n", "a: ${b", "{", "claim: !!python/name:os.system\n"])
def test_a_file_without_keys_is_not_a_claim(tmp_path, text):
    assert "not a claim" in refused(tmp_path, text)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(RequestError, match="cannot be read"):
        read_claim(Path(tmp_path, "none.yaml"))


CLAIMS = {claim.label: claim for claim in packaged_claims()}
IDS = [
    f"{letter}{n + 1}" for letter, count in zip("ABCDE", (10, 5, 7, 3, 9), strict=True) for n in range(count)
]


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_every_experiment_has_a_claim_and_they_are_in_order():
    assert [claim.id for claim in packaged_claims()][: len(IDS)] == IDS
    assert len({claim.claim for claim in CLAIMS.values()}) == len(CLAIMS)


@pytest.mark.parametrize("label", [label for label, claim in CLAIMS.items() if claim.overrides])
def test_every_claim_fits_the_grid_of_its_preset(label):
    claim = CLAIMS[label]
    found = [planned_run(run) for run in compose(train_words(claim, 1, [])).runs]
    check_claim(claim, found)
    seeds = {(run.settings["seed"], run.settings["data.split_seed"]) for run in found}
    assert seeds <= {(0, 0), (0, None)}  # None: the samples' own order


def test_an_experiment_has_one_name_for_its_file_its_preset_and_its_claim():
    presets = {path.stem for path in (config_folder() / "sweep").glob("*.yaml")}
    without = {claim.claim for claim in CLAIMS.values()} - presets
    assert without == {"gradient_check", "mnist_ten_nets_classes"}  # no preset; another claim's preset
    assert {path.stem for path in FOLDER.glob("*.yaml")} == {claim.claim for claim in CLAIMS.values()}
    for claim in CLAIMS.values():
        assert claim.claim in without or f"sweep={claim.claim}" in claim.overrides
        assert all(command.partition("sweep=")[2] in {"", *presets} for command in claim.train_commands)


def test_claims_are_found_by_id_by_name_and_by_file(tmp_path):
    (tmp_path / "mine.yaml").write_text(
        "claim: mine\nsource: here\nfigures: [{metric: val_accuracy, value: 0.5}]\n"
    )
    found = find_claims(["A2", "fashion_learning_rate", "mine.yaml"])
    assert [claim.label for claim in found] == ["A2", "mine"]


def test_all_means_every_claim_with_something_to_check():
    labels = [claim.label for claim in find_claims(["all"])]
    assert "A2" in labels
    assert "C1" in labels  # an order
    assert not {"A3", "B5"} & set(labels)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "fashion_learning_rat",
            ["there is no claim 'fashion_learning_rat'", "did you mean 'fashion_learning_rate'?"],
        ),
        ("A3", ["A3: no figure was published to check", "dlx train sweep=fashion_batch_size"]),
        ("B5", ["dlx check"]),
        ("none.yaml", ["none.yaml: cannot be read"]),
    ],
)
def test_a_claim_that_cannot_be_rerun_is_refused_with_what_can_be_done(name, words):
    with pytest.raises(RequestError) as caught:
        find_claims([name])
    assert all(word in str(caught.value) for word in words)


def test_two_claims_of_one_name_are_refused(tmp_path):
    text = "claim: fashion_learning_rate\nsource: here\nfigures: [{metric: val_accuracy, value: 0.5}]\n"
    (tmp_path / "other.yaml").write_text(text)
    with pytest.raises(RequestError, match=r"other.yaml: this request has two claims called"):
        find_claims(["A2", "other.yaml"])
