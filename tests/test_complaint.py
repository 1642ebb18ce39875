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
        (["model=null"], "error: "),
        (["sweep=null"], "error: "),
        (["=3"], "error: "),
        (["-m", "--cfg", "job"], "Only one of"),
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


@pytest.mark.parametrize(
    "content", ["a: [1\n", "a: 1\na: 2\n", "a:\tb: c\n", b"a: \xff\n", "defaults: [mine]\n"]
)
def test_a_broken_yaml_of_the_users_is_one_line_too(content, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "conf" / "model").mkdir(parents=True)
    file = tmp_path / "conf" / "model" / "mine.yaml"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert main(["train", "model=mine"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["conf"]
