"""Stands in for Slurm's commands, which are links to this file: jobs are processes of this machine.

State is kept in the folder that FAKE_SLURM names: each job's script, environment and process group.
"""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

FOLDER = Path(os.environ["FAKE_SLURM"])


def sbatch(script: str) -> None:
    """Start each job of the script's array, or the only one."""
    text = Path(script).read_text()
    if "--partition=none" in text:
        sys.exit("sbatch: error: invalid partition specified: none")
    number = str(1000 + len(list(FOLDER.glob("*.sh"))))
    (FOLDER / f"{number}.sh").write_text(text)
    array = re.search(r"--array=0-(\d+)", text)
    for index in range(int(array[1]) + 1) if array else [None]:
        own = {"SLURM_JOB_ID": number}
        if index is not None:
            own |= {"SLURM_ARRAY_JOB_ID": number, "SLURM_ARRAY_TASK_ID": str(index)}
        _start(number if index is None else f"{number}_{index}", number, own)
    print(f"Submitted batch job {number}")


def _start(job: str, number: str, own: dict[str, str]) -> None:
    environment = {**os.environ, **own}
    log = (FOLDER / f"{job}.log").open("a")
    process = subprocess.Popen(
        ["/bin/bash", FOLDER / f"{number}.sh"],
        env=environment,
        stdout=log,
        stderr=log,
        start_new_session=True,
    )
    (FOLDER / f"{job}.json").write_text(json.dumps({"pid": process.pid, "number": number, "own": own}))


def srun(*words: str) -> None:
    """Run the job's command in place of this process; options have a value each, or none."""
    command = next(at for at, word in enumerate(words) if word == sys.executable)
    os.execv(words[command], words[command:])


def sacct(*_: str) -> None:
    """Print the state of every job."""
    print("JobID|State|NodeList")
    for path in FOLDER.glob("*.json"):
        alive = Path(f"/proc/{json.loads(path.read_text())['pid']}/cmdline")
        running = alive.exists() and alive.read_bytes()
        print(f"{path.stem}|{'RUNNING' if running else 'NODE_FAIL'}|here")


def scontrol(what: str, job: str) -> None:
    """Start a job again."""
    assert what == "requeue"
    known = json.loads((FOLDER / f"{job}.json").read_text())
    _start(job, known["number"], known["own"])


def scancel(job: str, number: str = "TERM") -> None:
    """Send a job a signal."""
    os.killpg(json.loads((FOLDER / f"{job}.json").read_text())["pid"], getattr(signal, f"SIG{number}"))


if __name__ == "__main__":
    {each.__name__: each for each in (sbatch, srun, sacct, scontrol, scancel)}[Path(sys.argv[0]).name](
        *sys.argv[1:]
    )
