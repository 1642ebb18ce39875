"""Acceptance: every way of damage in tests/report/damage.py under every verb that reads a study.

    python -m tests.benchmarks.hostile_folders /tmp/hostile load status evaluate train

Prints each command that ends in a traceback, takes more than a minute or writes outside of the run, and the
largest memory of each verb. A command that imports torch takes about 400 MB before it reads anything.
"""

import argparse
import os
import shutil
import sys
import time
from pathlib import Path

from dlx.run.paths import find_runs
from tests.report.damage import BESIDE, DAMAGES

TRAIN = [
    "train",
    "data.train_size=60",
    "data.val_size=60",
    "epochs=2",
    "model.width=8",
    "keep=last",
    "name=h",
]
TRAIN += ["seed=0,1,2,3", "launcher.processes=1"]
STUDY = "outputs/h"
COMMANDS = {
    "load": ["-c", f"import dlx; print(dlx.load({STUDY!r}).left_out)"],
    "status": ["-m", "dlx", "status", STUDY],
    "report": ["-m", "dlx", "report", STUDY],
    "evaluate": ["-m", "dlx", "evaluate", STUDY],
    "train": ["-m", "dlx", *TRAIN],
}
SECRET = "secret\n"
SECONDS = 60.0


def run(words: list[str]) -> tuple[int, float, float, str]:
    """Run Python with these words; return its exit code, memory in MB, seconds, and what it printed."""
    opened = (os.POSIX_SPAWN_OPEN, 1, "printed", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    began = time.monotonic()
    actions = [opened, (os.POSIX_SPAWN_DUP2, 1, 2)]
    pid = os.posix_spawn(sys.executable, [sys.executable, *words], os.environ, file_actions=actions)
    _, status, used = os.wait4(pid, 0)
    seconds = time.monotonic() - began
    return os.waitstatus_to_exitcode(status), used.ru_maxrss / 1e3, seconds, Path("printed").read_text()


def prepare() -> Path:
    """Put a fresh copy of the study in its place; return the run to damage."""
    for folder in (STUDY, "outputs/away"):
        shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree("good", STUDY)
    Path(STUDY, "secret").write_text(SECRET)
    Path(STUDY, "secret-folder").mkdir()
    Path(STUDY, "secret-folder", "config.yaml").write_text(SECRET)
    return find_runs(Path(STUDY))[1]


def untouched() -> bool:
    """Return whether what links lead to is as it was."""
    return all(Path(STUDY, name).read_text() == SECRET for name in ("secret", "secret-folder/config.yaml"))


def main() -> None:
    """Train a study once, then damage copies of it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="must not exist")
    parser.add_argument("verbs", nargs="*", choices=[*COMMANDS, []], help="default: all")
    options = parser.parse_args()
    os.environ["PYTHONPATH"] = str(Path.cwd())
    options.folder.mkdir(parents=True)
    os.chdir(options.folder)
    assert run(COMMANDS["train"])[0] == 0
    shutil.copytree(STUDY, "good")
    largest: dict[str, float] = {}
    for way, damage in (DAMAGES | BESIDE).items():
        for verb in options.verbs or COMMANDS:
            damage(prepare())
            code, megabytes, seconds, printed = run(COMMANDS[verb])
            largest[verb] = max(largest.get(verb, 0.0), megabytes)
            if "Traceback" in printed or code not in (0, 2) or seconds > SECONDS or not untouched():
                print(f"{verb}, {way}: code {code}, {megabytes:.0f} MB, {seconds:.0f} s\n{printed[-400:]}")
    print(", ".join(f"{verb} {megabytes:.0f} MB" for verb, megabytes in largest.items()))


if __name__ == "__main__":
    main()
