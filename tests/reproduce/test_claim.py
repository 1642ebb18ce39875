"""Claim files: what they may hold, and the one line for what they may not."""

from pathlib import Path

import pytest

from dlx.errors import RequestError
from dlx.reproduce.claim import read_claim

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
        ("at: last", "at: lst", ["figures.0.at", "'lst'", "'last', 'best' or 'test'"]),
        ("at: last", "at: -1", ["figures.0.at", "-1"]),
        ("value: 0.810156", "value: high", ["figures.0.value='high'", "number"]),
        (", value: 0.810156", "", ["figures.0", "either value or range"]),
        ("value: 0.810156", "range: [0.9, 0.1]", ["figures.0", "from the lower to the higher end"]),
        ("value: 0.810156", "range: [null, null]", ["figures.0", "at least one end"]),
        (
            "value: 0.810156",
            "value: 1, tolerance: -1",
            ["figures.0.tolerance=-1", "greater than or equal to 0"],
        ),
        ("metric: val_accuracy, at: last, value: 0.810156", "metric: val_loss, value: 0", ["needs a width"]),
        ("worse: {", "equal: [{}, {}], worse: {", ["orders.0", "either better and worse, or equal"]),
        ("worse: {optimizer: adam, optimizer.lr: 0.1},\n", "\n", ["orders.0", "either better and worse"]),
        (", at: 2}", ", margin: 0.1}", ["orders.0", "equal needs a margin"]),
        ("claim: mine", "claim: ../x", ["claim='../x'", "folder"]),
        ("claim: mine", "id: 7\nclaim: mine", ["id=7", "string"]),
        ("claim: mine\n", "", ["claim: field required"]),
        ("epochs=2", "epochs", ["overrides", "'epochs' is not of the form KEY=VALUE"]),
        ("epochs=2", "seed=2", ["overrides", "'seed=2': seeds says how many"]),
        ("[sgd, adam]", "[]", ["grid.optimizer", "at least 1 item"]),
        ("claim: mine", "claim: mine\nclaim: yours", ["not a claim", "duplicate key"]),
        ("claim: mine", "claim: [", ["not a claim"]),
    ],
)
def test_a_mistake_is_one_line_with_file_key_value_and_what_is_allowed(tmp_path, old, new, words):
    assert old in GOOD
    line = refused(tmp_path, GOOD.replace(old, new, 1))
    assert all(word in line for word in words), line


@pytest.mark.parametrize("text", ["- 1\n", "a: ${b", "{", "claim: !!python/name:os.system\n"])
def test_what_is_no_mapping_is_no_claim(tmp_path, text):
    assert "not a claim" in refused(tmp_path, text)


def test_a_file_that_is_not_there_is_said_to_be_missing(tmp_path):
    with pytest.raises(RequestError, match="cannot be read"):
        read_claim(Path(tmp_path, "none.yaml"))
