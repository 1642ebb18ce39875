"""The command line: verbs, help, exit codes, and imports."""

import errno
import re
import shlex
import subprocess
import sys

import pytest

from dlx.cli import VERBS, main


def help_of(*verb, capsys):
    return help_with(*verb, "--help", capsys=capsys)


def help_with(*words, capsys):
    with pytest.raises(SystemExit) as caught:
        main([*words])
    assert caught.value.code == 0
    return capsys.readouterr().out


def test_help_names_every_verb_and_the_exit_codes(capsys):
    printed = help_of(capsys=capsys)
    assert all(f"\n  {verb} " in printed for verb in VERBS)
    assert "exit codes: 0 done" in printed


@pytest.mark.parametrize("word", ["--version", "version"])
def test_the_version_is_printed(word, capsys):
    assert main([word]) == 0
    assert re.fullmatch(r"dlx \d+\.\d+\.\d+\n", capsys.readouterr().out)


def test_help_works_as_a_word(capsys):
    assert help_of(capsys=capsys) == help_with("help", capsys=capsys)
    assert help_of("report", capsys=capsys) == help_with("help", "report", capsys=capsys)


def test_without_a_verb_the_help_is_printed_with_exit_code_2(capsys):
    assert main([]) == 2
    assert "usage: dlx VERB" in capsys.readouterr().out


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb != "train"])
def test_the_help_of_a_verb_has_usage_options_examples_and_exit_codes(verb, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    printed = help_of(verb, capsys=capsys)
    for part in (f"usage: dlx {verb} ", "options:\n", f"examples:\n  dlx {verb}", "exit codes: 0 "):
        assert part in printed
    assert max(map(len, printed.splitlines())) <= 80


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb != "train"])
def test_the_parser_accepts_the_examples_in_the_help(verb, capsys):
    from importlib import import_module

    printed = help_of(verb, capsys=capsys)
    examples = re.findall(rf"^  dlx {verb}(.*)$", printed, re.MULTILINE)
    assert examples
    for example in examples:
        import_module(f"dlx.commands.{verb}")._parser().parse(shlex.split(example))


@pytest.mark.parametrize(
    ("arguments", "never"),
    [
        (["--help"], ["torch", "hydra", "pandas", "numpy", "rich"]),
        (["--version"], ["torch", "hydra", "pandas", "numpy", "rich"]),
        (["train", "--cfg", "job"], ["torch", "torchvision", "pandas", "sklearn"]),
        (["check", "--help"], ["torch", "hydra", "pandas", "numpy", "rich"]),
        (["data", "--help"], ["torch", "hydra", "pandas", "numpy", "rich"]),
        (["data", "list"], ["torch", "torchvision", "pandas", "sklearn"]),
        (["evaluate", "--help"], ["torch", "hydra", "pandas", "numpy", "rich"]),
        (["report", "--help"], ["torch", "hydra", "pandas", "numpy", "rich"]),
        (["reproduce", "--help"], ["torch", "hydra", "pandas", "numpy", "rich"]),
        (["reproduce", "--list"], ["torch", "torchvision", "pandas", "sklearn", "scipy.stats"]),
    ],
)
def test_a_command_imports_only_what_it_needs(arguments, never):
    code = (
        "import sys\nfrom dlx.cli import main\n"
        f"try: main({arguments!r})\nexcept SystemExit: pass\n"
        f"print('imported:', [m for m in {never!r} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("imported: []\n")


def test_a_report_that_cannot_be_written_ends_with_exit_code_4(capsys, monkeypatch):
    from dlx.commands import report

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device", "index.html")

    monkeypatch.setattr(report, "main", full)
    assert main(["report"]) == 4
    assert "dlx report: error: storage failed: " in capsys.readouterr().err


def test_an_interrupt_ends_with_exit_code_130_in_one_line(capsys, monkeypatch):
    from dlx.commands import reproduce

    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(reproduce, "main", interrupted)
    assert main(["reproduce", "B4"]) == 130
    said = "interrupted; finished runs are kept, and the same command continues"
    assert capsys.readouterr().err == f"dlx reproduce: {said}\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("trian", "there is no verb 'trian'"),
        ("train epoch=3", "epoch: there is no such key"),
        ("report nowhere", "there is no folder 'nowhere'"),
        ("evaluate nowhere", "there is no folder 'nowhere'"),
        ("reproduce A2 epoch=3", "epoch: there is no such key"),
        ("check model=custom model.target=nowhere:Net", "No module named 'nowhere'"),
        ("data lst", "'lst' is not one of list, prepare"),
    ],
)
def test_hydra_full_error_prints_the_traceback_instead(words, said, capsys, monkeypatch):
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    assert main(words.split()) == 2
    printed = capsys.readouterr()
    assert printed.err.startswith("Traceback (most recent call last):\n")
    assert said in printed.err.splitlines()[-1]
    assert printed.out == ""
    assert ("ModuleNotFoundError" in printed.err) == ("nowhere:Net" in words)  # the cause too
