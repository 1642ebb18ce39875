"""The command line: verbs, help, exit codes, and imports."""

import errno
import re
import shlex
import subprocess
import sys

import pytest

from dlx.cli import EXAMPLES, VERBS, main


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


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb != "train"])
def test_the_help_of_a_verb_has_usage_options_examples_and_exit_codes(verb, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    printed = help_of(verb, capsys=capsys)
    for part in (f"usage: dlx {verb} ", "options:\n", f"examples:\n  dlx {verb}", "exit codes: 0 "):
        assert part in printed
    assert max(map(len, printed.splitlines())) <= 80


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb != "train"])
def test_the_parser_accepts_the_examples_in_the_help(verb, capsys, tmp_path, monkeypatch):
    from importlib import import_module

    (tmp_path / "outputs" / "mystudy").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)

    printed = help_of(verb, capsys=capsys)
    examples = re.findall(rf"^  dlx {verb}(.*)$", printed, re.MULTILINE)
    assert examples
    for example in examples:
        import_module(f"dlx.commands.{verb}")._parser().parse(shlex.split(example))


def test_the_examples_of_train_can_be_read(capsys, monkeypatch):
    from dlx.commands.train_flags import EXAMPLES, parse_train

    words = [shlex.split(line)[2:] for line in EXAMPLES.strip().splitlines()]
    assert len(words) >= 4
    for example in words:
        parse_train(example)
        flags = [word for word in example if word not in ("--dry-run", "--cfg", "job")]
        assert main(["train", *flags, "--cfg", "job"]) == 0


def test_the_examples_of_dlx_name_verbs_that_exist():
    lines = [shlex.split(line) for line in EXAMPLES.strip().splitlines()]
    assert {words[1] for words in lines if len(words) > 1} <= {*VERBS, "help"}


@pytest.mark.parametrize(
    ("arguments", "never"),
    [
        (["--help"], ["torch", "hydra", "pandas", "numpy", "rich"]),
        (["--version"], ["torch", "hydra", "pandas", "numpy", "rich"]),
        ([], ["torch", "hydra", "pandas", "numpy"]),
        (["init", "--help"], ["torch", "hydra", "pandas", "numpy", "rich"]),
        (["doctor", "--help"], ["torch", "hydra", "pandas", "numpy", "rich"]),
        (["completion", "--help"], ["torch", "hydra", "pandas", "numpy", "rich"]),
        (["train", "--cfg", "job"], ["torch", "torchvision", "pandas", "sklearn"]),
        (["check", "--help"], ["torch", "hydra", "pandas", "numpy", "rich"]),
        (["data", "--help"], ["torch", "hydra", "pandas", "numpy", "rich"]),
        (["data", "list"], ["torch", "torchvision", "pandas", "sklearn"]),
        (["evaluate", "--help"], ["torch", "hydra", "pandas", "numpy", "rich"]),
        (["report", "--help"], ["torch", "hydra", "pandas", "numpy", "rich"]),
        (["report", "nowhere"], ["torch", "hydra", "pandas", "scipy"]),
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


def ends_with(error, monkeypatch, *words):
    """Return the exit code of `dlx report`, or of these words, when its work ends with an error."""
    from dlx.commands import report

    def work(_):
        raise error

    monkeypatch.setattr(report, "main", work)
    return main([*(words or ["report"])])


STORAGE = {
    OSError(errno.ENOSPC, "No space left on device", "a/b"): "No space left on device: a/b. Make room, then",
    OSError(
        errno.EROFS, "Read-only file system", "a"
    ): "Read-only file system: a. Make it writable, or choose",
    FileNotFoundError(
        errno.ENOENT, "No such file or directory", "a"
    ): "No such file or directory: a. It was rem",
    MemoryError(): "no memory is left",
    RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"): "no memory is left",
}


@pytest.mark.parametrize(("error", "said"), STORAGE.items())
def test_storage_and_memory_that_fail_give_exit_code_4_and_what_to_do(error, said, capsys, monkeypatch):
    assert ends_with(error, monkeypatch) == 4
    printed = capsys.readouterr().err
    assert said in printed
    assert printed.count("\n") == 1


def test_an_unexpected_error_is_one_line_that_says_where_its_traceback_is(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("DLX_CACHE", str(tmp_path / "cache"))
    assert ends_with(KeyError("x" * 5000), monkeypatch, "report", "a b") == 1
    printed = capsys.readouterr().err
    log = tmp_path / "cache" / "crash.log"
    assert printed.startswith("dlx report: error: dlx failed unexpectedly: KeyError: 'xxx")
    assert printed.endswith(f"xxx' (the traceback is in {log})\n")
    assert printed.count("\n") == 1
    assert len(printed) < 400 + len(str(log))
    kept = log.read_text()
    assert "dlx report 'a b'\nTraceback (most recent call last):\n" in kept
    assert "x" * 5000 in kept


def test_a_traceback_that_the_cache_cannot_hold_is_kept_elsewhere(tmp_path, capsys, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("DLX_CACHE", str(tmp_path / "file" / "cache"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert ends_with(KeyError("x"), monkeypatch) == 1
    assert f"(the traceback is in {tmp_path / 'dlx' / 'crash.log'})" in capsys.readouterr().err


def test_a_command_in_a_folder_that_is_gone_says_so(tmp_path, capsys, monkeypatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert main(["report"]) == 2
    said = "the current folder cannot be used (No such file or directory); change to another"
    assert capsys.readouterr().err == f"dlx report: error: {said}\n"


def test_a_setting_that_is_not_text_is_refused(capsys):
    assert main(["train", "name=\udcff"]) == 2
    assert "'name=\\udcff' is not text in the encoding utf-8" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [(KeyboardInterrupt(), 130, "interrupted"), (SystemExit(143), 143, "terminated")],
)
def test_what_stops_a_command_ends_it_in_one_line(error, code, said, capsys, monkeypatch):
    from dlx.commands import reproduce

    def stopped(_):
        raise error

    monkeypatch.setattr(reproduce, "main", stopped)
    assert main(["reproduce", "B4"]) == code
    kept = "finished runs are kept, and the same command continues"
    assert capsys.readouterr().err == f"dlx reproduce: {said}; {kept}\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("trian", "there is no verb 'trian'"),
        ("train epoch=3", "epoch: there is no such key"),
        ("report nowhere", "there is no folder 'nowhere'"),
        ("evaluate nowhere", "there is no folder 'nowhere'"),
        ("reproduce A2 epoch=3", "epoch: there is no such key"),
        ("check model=custom model.target=nowhere:Net", "No module named 'nowhere'"),
        ("data lst", "'lst' is not one of list, show, prepare"),
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
