"""Completion: which words fit, in the shells that are installed, without what is slow to import."""

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dlx.cli import main
from dlx.commands.completion import SHELLS, candidates
from dlx.completion.settings import choices, groups, keys, values
from dlx.components import GROUPS, read_signature, registered
from dlx.config import DataSettings, Settings

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def _own_project(tmp_path, monkeypatch):
    """A folder with a model of the user's own and a study."""
    (tmp_path / "conf" / "model").mkdir(parents=True)
    (tmp_path / "conf" / "model" / "mynet.yaml").write_text(
        "# dlx train model=mynet\n# My own net.\nname: custom\ntarget: m:N\nhidden: 3\n"
    )
    (tmp_path / "outputs" / "mystudy" / ".study").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("typed", "fit"),
    [
        ("rep", ["report", "reproduce"]),
        ("help ch", ["check"]),
        ("train optimizer=ada", ["optimizer=adagrad", "optimizer=adam", "optimizer=adamw"]),
        ("train model=mlp,my", ["model=mlp,mynet"]),
        ("train mod", ["model=", "model."]),
        ("train model=mynet model.h", ["model.hidden="]),
        ("train +model=mynet +model.h", ["+model.hidden="]),
        ("train model=mlp_bn model.norm=b", ["model.norm=batch"]),  # whose file builds on another
        ("train data=surface loss.f", ["loss.function="]),  # chosen by the data set
        ("train data=surface model.", ["model.start="]),
        ("train keep=", ["keep=auto", "keep=none", "keep=best", "keep=last"]),
        ("train shuffle=", ["shuffle=true", "shuffle=false"]),
        ("train epochs=", []),
        ("train name=", ["name=mystudy"]),
        ("train --cf", ["--cfg"]),
        ("train --cfg j", ["job"]),
        ("report o", ["outputs/mystudy"]),
        ("report --wat", ["--watch"]),
        ("grade --aga", ["--against"]),
        ("data p", ["prepare"]),
        ("data prepare fa", ["fashion_mnist"]),
        ("completion f", ["fish"]),
        ("nosuch ", []),
    ],
)
@pytest.mark.usefixtures("_own_project")
def test_the_words_that_fit_what_is_typed(typed, fit):
    words = typed.split(" ")
    assert [*candidates(words)] == fit


@pytest.mark.usefixtures("_own_project")
def test_a_choice_is_told_by_the_sentence_of_its_file():
    assert candidates(["train", "model=my"]) == {"model=mynet": "My own net."}


def test_every_key_of_the_configuration_is_completed_and_no_other(capsys):
    assert main(["train", "--cfg", "job"]) == 0
    import yaml

    from dlx.run.identity import flatten

    shown = yaml.safe_load(capsys.readouterr().out)
    names = {f"{group}.name" for group in groups()}
    assert set(keys([])) == set(flatten(shown)) - names - {"grid", "cases"} | {"probes.logits"}


def test_the_values_of_every_component_are_those_of_its_signature():
    compared = 0
    for group in GROUPS:
        for choice in choices(group):
            name = re.search(r"^ *name: (\w+)", _yaml(group, choice), re.MULTILINE)
            if name is None or name[1] not in registered(group):
                continue
            signature = read_signature(group, name[1])
            for key, parameter in (signature.parameters if signature else {}).items():
                listed = _listed(parameter.annotation)
                if listed and f"{group}.{key}" in keys([f"{group}={choice}"]):
                    assert values(f"{group}.{key}", [f"{group}={choice}"]) == listed, (choice, key)
                    compared += 1
    assert compared > 10


def test_the_values_of_every_key_of_a_run_are_those_of_its_type():
    listed = {key: _listed(field.annotation) for key, field in Settings.model_fields.items()}
    listed = {key: found for key, found in listed.items() if found}
    assert len(listed) >= 3
    assert {key: values(key, []) for key in listed} == listed
    ways = _listed(DataSettings.model_fields["standardise"].annotation)
    assert "mean_image" in ways
    assert values("data.standardise", []) == ways


def _listed(annotation):
    text = re.search(r"^typing.Literal\[(.*?)\]", str(annotation))
    return [each.strip("'") for each in text[1].split(", ")] if text else []


def _yaml(group, choice):
    text = (ROOT / "conf" / group / f"{choice}.yaml").read_text()
    base = re.search(r"^  - (\w+)$", text, re.MULTILINE)
    return text if "name:" in text or base is None or base[1] == "_self_" else _yaml(group, base[1])


@pytest.mark.parametrize("typed", ["train model.norm=", "train --", "report ", "help "])
def test_an_answer_imports_nothing_slow(typed):
    slow = ["torch", "hydra", "omegaconf", "pydantic", "pandas", "numpy", "rich"]
    code = (
        "import sys\nfrom dlx.cli import main\n"
        f"main({['completion', 'reply', *typed.split(' ')]!r})\n"
        f"print('imported:', [m for m in {slow!r} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("imported: []\n")


def test_the_completion_of_hydras_applications_is_answered(capsys, monkeypatch):
    monkeypatch.setenv("COMP_LINE", "dlx train optimizer=rms")
    assert main(["-sc", "query=bash"]) == 0
    assert capsys.readouterr().out == "optimizer=rmsprop\n"
    assert main(["train", "-sc", "install=bash"]) == 0
    assert "complete " in capsys.readouterr().out
    assert main(["train", "-sc", "uninstall=bash"]) == 2
    assert "see dlx completion --help" in capsys.readouterr().err


TURN_ON = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], 'eval "$(dlx completion bash)"'),
    "zsh": (["zsh", "-f", "-i"], 'autoload -Uz compinit; compinit -u -D; eval "$(dlx completion zsh)"'),
    "fish": (["fish", "--no-config", "-i"], "dlx completion fish | source"),
}


@pytest.mark.slow
@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.usefixtures("_own_project")
def test_a_shell_completes_words_at_the_tab_key(shell, tmp_path):
    command, turn_on = TURN_ON[shell]
    if shutil.which(command[0]) is None:
        pytest.skip(f"{shell} is not installed")
    (tmp_path / "dlx").write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m dlx "$@"\n')
    (tmp_path / "dlx").chmod(0o755)
    environment = os.environ | {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "TERM": "xterm",
        "HOME": str(tmp_path),
    }
    process, terminal = pty.fork()
    if process == 0:
        os.execvpe(command[0], command, environment)
    try:
        wait_for(terminal, "echo rea''dy\n", "ready")
        wait_for(terminal, f"{turn_on}; echo do''ne\n", "done")
        for typed, whole in (
            ("dlx repo\t", "dlx report "),
            ("outp\t", "outputs/mystudy "),
            ("--det\t", "--details "),
        ):
            wait_for(terminal, typed, whole.split(" ")[-2])
        os.write(terminal, b"\x15")
        wait_for(terminal, "dlx train model=mlp,my\t", "mlp,mynet")
        wait_for(terminal, "model=mlp model.norm=b\t", "norm=batch")
    finally:
        os.kill(process, 9)
        os.close(terminal)
        os.waitpid(process, 0)


def wait_for(terminal, typed, expected, seconds=60):
    """Type something, and read until the terminal shows what is expected."""
    os.write(terminal, typed.encode())
    shown, until = "", time.monotonic() + seconds
    while expected not in re.sub(r"\x1b\[[\d;?]*[A-Za-z]|\r|\n|\x08", "", shown):
        assert time.monotonic() < until, f"no '{expected}' in {shown!r}"
        if select.select([terminal], [], [], 0.2)[0]:
            shown += os.read(terminal, 65536).decode(errors="replace")
