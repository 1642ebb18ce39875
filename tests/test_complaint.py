"""Every wrong word on the command line: one line that says what, what is allowed, and the nearest name."""

import pytest

from dlx.cli import main


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["epoch=3"], "epoch: there is no such key; did you mean 'epochs'?"),
        (["optimzer.lr=1"], "optimzer: there is no such key; did you mean 'optimizer'?"),
        (["optimizer.lrr=1"], "optimizer.lrr: there is no such key; did you mean 'lr'?"),
        (["optimizer=sgd", "optimizer.momentun=1"], "did you mean 'momentum'?"),
        (["optimizer.lr.x=1"], "optimizer.lr: holds a value, it has no key 'x'"),
        (["optimizer=adm"], "optimizer: there is no 'adm'; did you mean 'adam'?"),
        (["sweep=learning_rates"], "did you mean 'learning_rate'?"),
        (["hydra/launcher=dxl"], "hydra/launcher: there is no 'dxl'; did you mean 'dlx'?"),
        (["epochs"], "'epochs' is not of the form KEY=VALUE"),
        (["model.sizes=[1"], "'model.sizes=[1' is not of the form KEY=VALUE"),
        (["--multrun"], "there is no '--multrun'; did you mean '--multirun'?"),
        (["name=${nam}"], "nam"),
    ],
)
def test_a_wrong_word_is_answered_in_one_line_with_exit_code_2(
    arguments, message, capsys, monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)
    assert main(["train", *arguments]) == 2
    printed = capsys.readouterr().err
    assert message in printed
    assert printed.count("\n") == 1
    assert printed.startswith("dlx train: error: ")
    assert not list(tmp_path.iterdir())
