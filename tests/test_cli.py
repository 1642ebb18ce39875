"""The command line: verbs, help, exit codes; and that help imports nothing heavy."""

import errno
import subprocess
import sys

import pytest

from dlx.cli import main
from dlx.errors import RequestError
from dlx.train import flags_first


def test_help_names_every_verb_and_the_exit_codes(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    printed = capsys.readouterr().out
    assert all(word in printed for word in ("train", "report", "exit codes"))


def test_a_mistyped_verb_is_answered_with_the_nearest(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["trian"])
    assert caught.value.code == 2
    assert "did you mean 'train'?" in capsys.readouterr().err


def test_flags_may_stand_between_overrides():
    assert flags_first(["seed=1", "-m", "lr=1,2"]) == ["-m", "seed=1", "lr=1,2"]
    assert flags_first(["seed=1", "--cfg", "job", "~x"]) == ["--cfg", "job", "seed=1", "~x"]


def test_a_flag_that_does_not_exist_is_refused():
    with pytest.raises(RequestError, match="did you mean '--multirun'"):
        flags_first(["--multrun"])


@pytest.mark.parametrize(
    ("arguments", "never"),
    [
        (["--help"], ["torch", "hydra", "pandas", "numpy", "rich"]),
        (["train", "--cfg", "job"], ["torch", "torchvision", "pandas", "sklearn"]),
        (["check", "--help"], ["torch", "torchvision", "pandas", "sklearn"]),
        (["evaluate", "--help"], ["torch", "hydra", "pandas", "scipy"]),
        (["report", "--help"], ["torch", "hydra", "pandas", "altair"]),
        (["reproduce", "--help"], ["torch", "hydra", "pandas", "numpy", "rich"]),
        (["reproduce", "--list"], ["torch", "torchvision", "pandas", "sklearn", "scipy.stats"]),
    ],
)
def test_what_a_command_does_not_need_it_does_not_import(arguments, never):
    code = (
        "import sys\nfrom dlx.cli import main\n"
        f"try: main({arguments!r})\nexcept SystemExit: pass\n"
        f"print('imported:', [m for m in {never!r} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("imported: []\n")


def test_a_report_that_cannot_be_written_ends_with_exit_code_4(capsys, monkeypatch):
    from dlx.report import command

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device", "index.html")

    monkeypatch.setattr(command, "main", full)
    assert main(["report"]) == 4
    assert "dlx report: error: storage failed: " in capsys.readouterr().err
