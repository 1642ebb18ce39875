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
        (["lr=0.1"], "lr: there is no such key; did you mean 'optimizer.lr'?"),
        (["launcher=jolib"], "launcher: there is no 'jolib'; did you mean 'joblib'?"),
        (["launcher.processes=0"], "launcher.processes=0: input should be greater than or equal to 1"),
        (["launcher.memory=0"], "launcher.memory=0: input should be greater than 0"),
        (["launcher.processes=1,2"], "launcher.processes=1,2: a request has one launcher.processes"),
        (["hydra/launcher=joblib"], "launcher=local or launcher=joblib"),
        (["hydra.launcher.processes=2"], "launcher.processes=2, launcher=joblib"),
        (["hydra.run.dir=here"], "output_root=DIR name=STUDY"),
        (["hydra.job.chdir=true"], "dlx does not use this setting of Hydra's"),
        (["seed=range(5,1)"], "seed=range(5,1): there is no such value"),
        (["model=glob(x*)"], "model=glob(x*): there is no such value"),
        (["optimizer.lr=interval(0,1)"], "a grid needs single values"),
        (["seed=1,2", "seed=3"], "seed=1,2: seed is given twice"),
        (["+engine.width=2"], "engine.width=2: only a stack has a width: engine=stacked"),
        (["epochs"], "'epochs' is not of the form KEY=VALUE"),
        (["model.sizes=[1"], "'model.sizes=[1' is not of the form KEY=VALUE"),
        (["--multrun"], "'--multirun'"),
        (["name=${nam}"], "nam"),
        (["model=null"], "error: "),
        (["=3"], "error: "),
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
