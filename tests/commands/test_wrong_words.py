"""Every wrong word of every verb is answered in one line, with exit code 2, before anything is written."""

import argparse
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from dlx.cli import VERBS, main

MINE = """
claim: mine
source: here
overrides: [data.train_size=100]
figures: [{metric: val_accuracy, value: 0.5}]
"""
QUICK = "data.train_size=100 data.val_size=50 batch_size=25 epochs=2"

CASES = """
frobnicate                    | there is no verb 'frobnicate' (allowed: train, report,
trian epochs=3                | there is no verb 'trian'; did you mean 'train'?
--verison                     | there is no flag --verison; did you mean '--version'?
-x                            | there is no flag -x (allowed: --help, --version)
--version=3                   | --version takes no value, but was given '3'
--help=3                      | --help takes no value, but was given '3'
version 3                     | there is one word too many: '3'
help trian                    | there is no verb 'trian'; did you mean 'train'?

train --cfg foo               | --cfg: 'foo' is not one of job, hydra, all
train --cfg job --info        | --cfg and --info cannot be combined
train --cfg job --package no  | --package no: the configuration has no such part
train --cfg job --package [   | --package: '[' is not a key such as model or model.width
train --resolve               | --resolve says how --cfg prints; add --cfg job
train --package model         | --package says how --cfg prints; add --cfg job
train --config-dir nowhere    | --config-dir: there is no folder 'nowhere'
train --config-name nothing   | nothing
train --config-path conf      | there is no flag --config-path; did you mean '--config-
train --hydra-help            | there is no flag --hydra-help
train -i=model                | --info: 'model' is not one of all, config, defaults,
train epoch=3                 | epoch: there is no such key; did you mean 'epochs'?
train epoch=3 seed=0,1        | epoch: there is no such key; did you mean 'epochs'?
train optimzer.lr=1           | optimzer: there is no such key; did you mean 'optimizer'?
train optimizer.lrr=1         | optimizer.lrr: there is no such key; did you mean 'lr'?
train optimizer=sgd optimizer.momentun=1 | did you mean 'momentum'?
train optimizer.lr.x=1        | optimizer.lr: holds a value, it has no key 'x'
train optimizer=adm           | optimizer: there is no 'adm'; did you mean 'adam'?
train sweep=learning_rates    | did you mean 'learning_rate'?
train epochs                  | 'epochs' is not of the form KEY=VALUE
train model.sizes=[1          | 'model.sizes=[1' is not of the form KEY=VALUE
train epochs=                 | epochs='': input should be a valid integer
train epochs=1,               | 'epochs=1,' ends with a comma
train ~nosuch                 | nosuch
train model@x=mlp             | model
train name=${nam}             | nam
train model=null              | error:
train =3                      | error:
train lr=0.1                  | lr: there is no such key; did you mean 'optimizer.lr'?
train launcher=jolib          | launcher: there is no 'jolib'; did you mean 'joblib'?
train launcher.processes=0    | launcher.processes=0: input should be greater than or equal to 1
train launcher.memory=0       | launcher.memory=0: input should be greater than 0
train launcher.processes=1,2  | launcher.processes=1,2: a request has one launcher.processes
train hydra/launcher=joblib   | launcher=local or launcher=joblib
train hydra.launcher.processes=2 | launcher.processes=2, launcher=joblib
train hydra.run.dir=here      | output_root=DIR name=STUDY
train hydra.job.chdir=true    | dlx does not use this setting of Hydra's
train seed=range(5,1)         | seed=range(5,1): there is no such value
train model=glob(x*)          | model=glob(x*): there is no such value
train optimizer.lr=interval(0,1) | a grid needs single values
train seed=1,2 seed=3         | seed=1,2: seed is given twice
train +engine.width=2         | engine.width=2: only a stack has a width: engine=stacked

train QUICK batch_size=500    | batch_size=500: larger than the training split of 100 samples
train QUICK drop_last=true schedule=cosine,constant schedule.warmup=0,2 | [in '
train QUICK model=mlp_bn batch_size=33 | leave a last batch of one, which BatchNorm
train QUICK data=blobs model=convnet | model
train QUICK model=custom model.target=math:sqrt | model
train QUICK optimizer.lr=-1   | optimizer.lr=-1: input should be greater than or equal to 0
train QUICK model.width=wide  | model.width='wide': input should be a valid integer
train QUICK model.activation=rleu | did you mean 'relu'?
train QUICK model.init=kaiming | model.init
train QUICK augment.flip=2    | augment.flip
train QUICK data.train_size=5000 | data.train_size=5000
train QUICK data.train_size=1.5 | error: data.train_size=1.5:
train QUICK data=fashion_mnist data.root=nowhere | nowhere
train QUICK engine.name=stacks | input should be 'auto', 'loop' or 'stacked'; did you mean 'stacked'?
train QUICK device=cuda:99    | device=cuda:99
train QUICK schedule=cosine schedule.warmup=2  | the warm-up must end before epochs=2
train QUICK schedule=cosine schedule.warmup=30 | error: schedule.warmup=30: the warm-up
train QUICK sweep=seeds,width | sweep=[seeds,width]
train QUICK output_root=      | output_root
train QUICK threads=100000    | threads=100000
train QUICK model=mlp,linear model.width=3 | model.width

report --frobnicate           | there is no flag --frobnicate (allowed: --help, --watch,
report --metric=val_acuracy   | train_accuracy, val_loss, val_accuracy; did you mean 'val_accuracy'?
report STUDY --by optimizer.lrr | lrr
report STUDY --baseline lr=7  | --baseline: no setting is 'lr=7'
report STUDY --by lr --tune lrr | lrr
report STUDY --baseline lrr=7 | --baseline
report STUDY --output mine.yaml | --output: 'mine.yaml' is a file, not a folder
report --margin 0             | --margin: '0' is not a number above 0
report --margin=-1            | --margin: '-1' is not a number above 0
report --margin nan           | --margin: 'nan' is not a number above 0
report --margin inf           | --margin: 'inf' is not a number above 0
report --margin wide          | --margin: 'wide' is not a number above 0
report --watch=often          | --watch: 'often' is not a number between 0 and 1e+06
report --watch 0              | --watch: '0' is not a number between 0 and 1e+06
report --watch=-1             | --watch: '-1' is not a number between 0 and 1e+06
report --watch nowhere        | there is no folder 'nowhere'
report                        | there is no run under outputs/
report nowhere                | there is no folder 'nowhere'
report mine.yaml              | there is no folder 'mine.yaml'
report .                      | there is no run in .

evaluate                      | DIR is missing
evaluate nowhere              | there is no folder 'nowhere'
evaluate .                    | holds no completed run
evaluate . --split best       | --split: 'best' is not one of test, val, train
evaluate . --split tset       | --split: 'tset' is not one of test, val, train; did you mean 'test'?
evaluate STUDY                | no run has a checkpoint; train with keep=best or keep=last
evaluate STUDY --all          | has no checkpoint; train it with keep=best or keep=last

reproduce                     | name a claim by its name, id or file, or all
reproduce A22                 | there is no claim 'A22'; did you mean 'A2'?
reproduce digits_layer        | there is no claim 'digits_layer'; did you mean 'digits_layers'?
reproduce A3                  | to run the experiment itself: dlx train sweep=fashion_batch_size
reproduce none.yaml           | none.yaml: cannot be read
reproduce mine.yaml seed=3    | seed=3: 'seed' cannot be set here: use --seeds K
reproduce mine.yaml name=x    | name=x: 'name' cannot be set here
reproduce mine.yaml epoch=3   | epoch: there is no such key; did you mean 'epochs'?
reproduce mine.yaml epochs=0  | epochs=0
reproduce mine.yaml optimizer.lr=1,2 | name more keys, or use pick: best
reproduce mine.yaml none.yaml | none.yaml: cannot be read
reproduce mine.yaml --output mine.yaml | --output: 'mine.yaml' is a file, not a folder
reproduce mine.yaml --seeds 0 | --seeds: '0' is not a whole number of 1 or more
reproduce mine.yaml --seeds x | --seeds: 'x' is not a whole number of 1 or more

check optimzer.lr=1           | optimzer: there is no such key; did you mean 'optimizer'?
check model=cn                | model: there is no 'cn'; did you mean 'cnn'?
check epochs                  | 'epochs' is not of the form KEY=VALUE
check name=${nam}             | nam
check model=null              | error:
check model=mlp,cnn           | model=mlp,cnn: that is 2 runs; this command takes one
check sweep=width             | sweep=width: that is 6 runs
check --samples 0             | --samples: '0' is not a whole number of 1 or more
check --entries -1            | --entries: '-1' is not a whole number of 0 or more
check --tolerance nan         | --tolerance: 'nan' is not a number between 0 and 1
check --tolerance 1           | --tolerance: '1' is not a number between 0 and 1
check --samples 5000          | --samples 5000: the training split has only 1000
check model=mlp_bn --samples 1 | --samples 1: BatchNorm cannot normalise a batch of one
check model=lenet             | needs images of at least 12 x 12 pixels
check model=custom            | write it as package.module:Name

data                          | say what to do: list, or prepare NAME
data lst                      | list|prepare: 'lst' is not one of list, prepare; did you mean 'list'?
data list digits              | list takes no more words, but was given 'digits'
data prepare                  | prepare needs a name from `dlx data list`
data prepare fashion          | data: there is no 'fashion'; did you mean 'fashion_mnist'?
data prepare mnist,digits     | data=mnist,digits: that is 2 runs
data prepare digits data.rot=x | data.rot: there is no such key; did you mean 'root'?
data prepare digits root      | 'root' is not of the form KEY=VALUE
data prepare digits --rot     | there is no flag --rot (allowed: --help)
data prepare fashion_mnist data.root=nowhere | nowhere
"""


def flags_of(verb: str) -> list[argparse.Action]:
    parser = import_module(f"dlx.commands.{'train_flags' if verb == 'train' else verb}")._parser()
    return [action for action in parser._actions if action.option_strings]


def long_name(flag: argparse.Action) -> str:
    return max(flag.option_strings, key=len)


def cases_of_flags() -> Iterator[str]:
    """Yield the rows that every flag of every verb has: misspelt, without its value, with a wrong one."""
    for verb in VERBS:
        command = "evaluate ." if verb == "evaluate" else verb
        yield f"{command} -x | there is no flag -x (allowed: --"
        for flag in flags_of(verb):
            name = long_name(flag)
            yield f"{command} {name}{name[-1]} | there is no flag {name}{name[-1]}; did you mean '{name}'?"
            if flag.nargs is None:
                yield f"{command} {name} | {name} needs a value"
            if flag.nargs == 0:
                yield f"{command} {name}=mine.yaml | {name} takes no value, but was given 'mine.yaml'"
            if flag.type is not None:
                yield f"{command} {name}=./mine.yaml | error: {name}: "  # a file, and no name of anything


def cases() -> Iterator[object]:
    for line in [*filter(None, CASES.splitlines()), *cases_of_flags()]:
        words, said = (part.strip() for part in line.split(" | ", maxsplit=1))
        yield pytest.param(words, said, id=words)


def test_a_flag_that_takes_any_word_has_a_row_with_a_wrong_one():
    free = [(verb, long_name(f)) for verb in VERBS for f in flags_of(verb) if f.nargs is None and not f.type]
    assert free
    for verb, name in free:
        rows = [line.split() for line in CASES.splitlines() if line.startswith(f"{verb} ")]
        assert any(name in row for row in rows), f"{verb} {name}"


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Two short runs without a checkpoint, for the rows that say STUDY."""
    folder = tmp_path_factory.mktemp("outputs")
    words = "data.train_size=100 data.val_size=50 model.width=4 epochs=1 optimizer.lr=0.1,0.01 name=study"
    assert main(["train", *words.split(), f"output_root={folder}"]) == 0
    return folder / "study"


@pytest.fixture(autouse=True)
def _offline_in_a_folder_of_its_own(tmp_path, monkeypatch):
    import pooch

    def offline(*_, **__):
        raise OSError("the network is unreachable")

    monkeypatch.setattr(pooch, "retrieve", offline)
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").write_text(MINE)


@pytest.mark.parametrize(("words", "said"), list(cases()))
def test_a_wrong_word_is_answered_in_one_line_with_exit_code_2(words, said, capsys, request):
    verb = words.split()[0]
    if "STUDY" in words:
        words = words.replace("STUDY", str(request.getfixturevalue("study")))
        capsys.readouterr()
    assert main(words.replace("QUICK", QUICK).split()) == 2
    printed = capsys.readouterr()
    assert said in printed.err
    assert printed.err.startswith(f"dlx {verb}: error: " if verb in VERBS else "dlx: error: ")
    assert printed.err.count("\n") == 1
    assert printed.out == ""
    assert {path.name for path in Path().iterdir()} <= {"mine.yaml", "nowhere"}  # data.root is made early


def test_control_characters_are_shown_as_escapes(capsys):
    assert main(["evaluate", "\x1b[2J\nnowhere"]) == 2
    assert capsys.readouterr().err == "dlx evaluate: error: there is no folder '\\x1b[2J nowhere'\n"


@pytest.mark.parametrize(
    "content", ["a: [1\n", "a: 1\na: 2\n", "a:\tb: c\n", b"a: \xff\n", "defaults: [mine]\n"]
)
@pytest.mark.parametrize("verb", ["train", "check"])
def test_a_broken_yaml_file_is_reported_in_one_line(content, verb, capsys):
    folder = Path("conf/model")
    folder.mkdir(parents=True)
    (folder / "mine.yaml").write_bytes(content if isinstance(content, bytes) else content.encode())
    assert main([verb, "model=mine"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert sorted(path.name for path in Path().iterdir()) == ["conf", "mine.yaml"]
