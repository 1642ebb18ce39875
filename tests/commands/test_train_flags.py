"""The flags of `dlx train`, mixed with settings, and its help."""

import pytest

from dlx.commands.train_flags import help_text, parse_train
from dlx.errors import RequestError


def parse(words):
    """Return only the flags that were given, and the overrides."""
    options, overrides = parse_train(words.split())
    return {name: value for name, value in vars(options).items() if value}, overrides


@pytest.mark.parametrize(
    ("words", "flags", "overrides"),
    [
        ("", {}, []),
        ("seed=1 -m lr=1,2", {"multirun": True}, ["seed=1", "lr=1,2"]),
        ("+key=1 --cfg job ~x", {"cfg": "job"}, ["+key=1", "~x"]),
        ("--cfg=all --resolve", {"cfg": "all", "resolve": True}, []),
        ("-c hydra -p launcher", {"cfg": "hydra", "package": "launcher"}, []),
        ("-p=a.b seed=1 -c=job", {"cfg": "job", "package": "a.b"}, ["seed=1"]),
        ("--info seed=1", {"info": "all"}, ["seed=1"]),
        ("--info ~x", {"info": "all"}, ["~x"]),
        ("-i defaults-tree seed=1", {"info": "defaults-tree"}, ["seed=1"]),
        ("seed=1 --info=searchpath", {"info": "searchpath"}, ["seed=1"]),
        ("-cn mine seed=1", {"config_name": "mine"}, ["seed=1"]),
        ("-m -c job", {"multirun": True, "cfg": "job"}, []),
        ("'model=mlp,cnn' -h", {"help": True}, ["'model=mlp,cnn'"]),
        ("--version", {"version": True}, []),
    ],
)
def test_flags_and_settings_may_be_mixed(words, flags, overrides):
    assert parse(words) == (flags, overrides)


@pytest.mark.parametrize("words", ["--config-dir more", "-cd more", "--config-dir=more", "-cd=more"])
def test_a_value_is_the_next_word_or_follows_an_equals_sign(words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "more").mkdir()
    options, overrides = parse_train(["seed=1", *words.split()])
    assert str(options.config_dir) == "more"
    assert overrides == ["seed=1"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--multrun", "there is no flag --multrun; did you mean '--multirun'?"),
        ("--config_dir=x", "there is no flag --config_dir; did you mean '--config-dir'?"),
        ("--cfg", "--cfg needs a value"),
        ("--cfg jbo", "--cfg: 'jbo' is not one of job, hydra, all; did you mean 'job'?"),
        (
            "--info defautls",
            "--info: 'defautls' is not one of all, config, defaults, .* did you mean 'defaults'",
        ),
        ("-cd", "--config-dir needs a value"),
        ("--resolve=yes", "--resolve takes no value"),
        ("--cfg job --info", "--cfg and --info cannot be combined"),
        ("--resolve", "--resolve says how --cfg prints; add --cfg job"),
        ("--package model", "--package says how --cfg prints"),
    ],
)
def test_a_wrong_flag_is_refused_in_one_sentence(words, said):
    with pytest.raises(RequestError, match=f"^{said}") as caught:
        parse(f"seed=1 {words}")
    assert "\n" not in str(caught.value)


def test_the_help_lists_the_choices_of_each_group():
    text = help_text({"model": ["cnn", "mlp"], "sweep": [f"preset_{number}" for number in range(20)]})
    assert "  model        cnn, mlp\n" in text
    assert "preset_19" in text
    assert max(map(len, text.splitlines())) < 80
    assert text.startswith("usage: dlx train ")
    assert "exit codes: " in text
