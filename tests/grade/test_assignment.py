"""The reference's file: what it may hold, and one clear line for everything else."""

import pytest

from dlx.errors import RequestError
from dlx.grade.assignment import read_assignment

FIGURES = "figures: [{metric: val_accuracy}]\n"


def read(tmp_path, text):
    path = tmp_path / "reference.yaml"
    path.write_text(text)
    return read_assignment(path)


def test_what_is_not_given_has_defaults(tmp_path):
    found = read(
        tmp_path, "assignment: one\nfigures: [{metric: val_accuracy}, {metric: val_loss, at: best}]\n"
    )
    assert (found.luck, found.seeds, found.runs) == (0.01, 10, "reference")
    assert found.level == 0.005
    assert [figure.label for figure in found.figures] == ["val accuracy", "val loss, best epoch"]


def test_a_figure_is_called_by_its_metric_moment_and_setting(tmp_path):
    text = "{metric: val_loss, at: 3, where: {optimizer: adam, optimizer.lr: 0.1}}, {metric: x, name: mine}"
    found = read(tmp_path, f"assignment: one\nfigures: [{text}]\n")
    assert [figure.label for figure in found.figures] == ["val loss, epoch 3, adam, lr 0.1", "mine"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("assignment: one\n", "figures: needs a value"),
        (FIGURES, "assignment: needs a value"),
        (f"assignment: one\nluk: 0.01\n{FIGURES}", "luk=0.01: there is no such key; did you mean 'luck'"),
        ("assignment: one\nfigures: [{metrc: x}]\n", "figures.0.metrc='x': there is no such key"),
        (f"assignment: one\nluck: 0\n{FIGURES}", "luck=0"),
        (f"assignment: one\nseeds: 1\n{FIGURES}", "seeds=1"),
        (f"assignment: ../up\n{FIGURES}", "use letters, digits"),
        (f"assignment: one\nsettings: [seed=3]\n{FIGURES}", "use the file's own key 'seeds'"),
        (f"assignment: one\nsettings: [fast]\n{FIGURES}", "'fast' is not of the form KEY=VALUE"),
        ("assignment: one\nfigures: [{metric: x}, {metric: x}]\n", "two figures are called 'x'"),
        ("assignment: one\nfigures: [{metric: val_loss, scale: arcsine}]\n", "shares between 0 and 1"),
        ("[1, 2]", "needs the keys assignment and figures"),
        ("a: &x [*x]", "cannot be read: the alias"),
        ("a: !!python/object/apply:os.system [ls]", "cannot be read: the tag"),
        ("\0", "cannot be read"),
    ],
)
def test_a_wrong_file_is_refused_in_one_line(tmp_path, text, said):
    with pytest.raises(RequestError) as refused:
        read(tmp_path, text)
    assert said in str(refused.value)
    assert "reference.yaml" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(RequestError, match=r"there is no file '.*nowhere.yaml'"):
        read_assignment(tmp_path / "nowhere.yaml")
