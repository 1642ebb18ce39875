"""The packaged claims: every experiment has one, and every one fits the preset it names."""

import pytest
from dlx.train import train_grid

from dlx.compose.composer import config_folder
from dlx.errors import RequestError
from dlx.reproduce import catalogue
from dlx.reproduce.match import Planned, check_claim
from dlx.reproduce.request import train_words
from dlx.reproduce.rerun import planned

CLAIMS = {claim.label: claim for claim in catalogue.packaged()}
IDS = [
    f"{letter}{n + 1}" for letter, count in zip("ABCDE", (10, 5, 7, 3, 9), strict=True) for n in range(count)
]


class ComposedError(Exception):
    """Thrown out of the plan: the claim has been composed, and nothing is to be trained."""


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_every_experiment_has_its_claim_in_order():
    assert [claim.id for claim in catalogue.packaged()][: len(IDS)] == IDS
    assert len({claim.claim for claim in CLAIMS.values()}) == len(CLAIMS)


@pytest.mark.parametrize("label", [label for label, claim in CLAIMS.items() if claim.overrides])
def test_every_claim_fits_the_grid_of_its_preset(label):
    claim = CLAIMS[label]
    found: list[Planned] = []

    def plan(jobs):
        found.extend(planned(job) for job in jobs)
        raise ComposedError

    words = ["--multirun", *train_words(claim, 1, [])]
    with pytest.raises(ComposedError):
        train_grid(words, plan)
    check_claim(claim, found)
    seeds = {(run.settings["seed"], run.settings["data.split_seed"]) for run in found}
    assert seeds <= {(0, 0), (0, None)}  # None: the samples' own order


def test_every_preset_that_the_list_names_is_there():
    commands = [command for claim in CLAIMS.values() for command in catalogue.commands(claim)]
    presets = {command.partition("sweep=")[2] for command in commands if "sweep=" in command}
    there = {path.stem for path in (config_folder() / "sweep").glob("*.yaml")}
    assert presets <= there


def test_claims_are_found_by_id_by_name_and_by_file(tmp_path):
    (tmp_path / "mine.yaml").write_text(
        "claim: mine\nsource: here\nfigures: [{metric: val_accuracy, value: 0.5}]\n"
    )
    found = catalogue.find(["A2", "fashion-learning-rate", "mine.yaml"])
    assert [claim.label for claim in found] == ["A2", "mine"]


def test_all_is_every_claim_with_something_published():
    labels = [claim.label for claim in catalogue.find(["all"])]
    assert "A2" in labels
    assert "C1" in labels  # an order
    assert not {"A3", "B5"} & set(labels)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "fashion-learning-rat",
            ["there is no 'fashion-learning-rat'", "did you mean 'fashion-learning-rate'?"],
        ),
        ("A3", ["A3: no figure is published to check", "dlx train sweep=fashion_batch_size"]),
        ("B5", ["dlx check"]),
        ("none.yaml", ["none.yaml: cannot be read"]),
    ],
)
def test_what_cannot_be_rerun_is_answered_with_what_can(name, words):
    with pytest.raises(RequestError) as caught:
        catalogue.find([name])
    assert all(word in str(caught.value) for word in words)


def test_two_claims_of_one_name_are_refused(tmp_path):
    text = "claim: fashion-learning-rate\nsource: here\nfigures: [{metric: val_accuracy, value: 0.5}]\n"
    (tmp_path / "other.yaml").write_text(text)
    with pytest.raises(RequestError, match=r"other.yaml: another claim"):
        catalogue.find(["A2", "other.yaml"])
