"""One command with one fault: what it said, what it left, and what the same command makes of that."""

import contextlib
import importlib
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.faults.cases import Case
from tests.faults.contents import contents
from tests.faults.inject import Fault, Injector

KILLED = 9  # the signal
NO_FAULT = "none"


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit code or the negative signal, and what it said to standard error."""

    code: int
    said: str


def run(case: Case, folder: Path, fault: Fault | None = None, log: Path | None = None) -> Ended:
    """Run a case's command in a process forked from this one, with `folder` as the current folder."""
    said = folder.parent / "stderr"
    child = os.fork()
    if child == 0:
        code = 99
        try:
            code = _command(case, folder, said, fault, log)
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    return Ended(os.waitstatus_to_exitcode(status), said.read_text(errors="replace"))


def _command(case: Case, folder: Path, said: Path, fault: Fault | None, log: Path | None) -> int:
    os.dup2(os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644), 2)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.chdir(folder)
    os.environ["DLX_CACHE"] = str(folder / "cache")
    case.simplify()
    from dlx.cli import main

    if fault is None or log is None:
        return main(case.words)
    injector = Injector(fault, folder, log)
    injector.install()
    code = main(case.words)
    if fault.kind == NO_FAULT:
        log.write_text("\n".join([str(injector.count), *sys.modules]))
    return code


def problems(case: Case, fault: Fault, before: Path, undisturbed: Path, room: Path) -> tuple[list[str], str]:
    """Try a case with a fault, in a copy of the folder `before`; return what is wrong, and what was hit.

    `undisturbed`: the folder after the command without a fault. Hit is "" if the command makes fewer changes.
    """
    shutil.rmtree(room, ignore_errors=True)
    folder, log = room / "work", room / "log"
    shutil.copytree(before, folder)
    ended = run(case, folder, fault, log)
    hit = log.read_text() if log.exists() else ""
    if not hit:
        return [], ""
    wrong = _said_badly(ended, fault)
    wrong += case.torn(contents(before), contents(folder), contents(undisturbed))
    again = run(case, folder)
    if again.code != 0:
        return [*wrong, f"the same command afterwards: exit code {again.code}: {again.said[-300:]}"], hit
    after, wanted = contents(folder), contents(undisturbed)
    wrong += [f"afterwards {name} is left over" for name in after.keys() - wanted.keys()]
    wrong += [f"afterwards {name} is missing" for name in wanted.keys() - after.keys()]
    same = [name for name in after.keys() & wanted.keys() if not name.endswith(case.grows)]
    wrong += [f"afterwards {name} differs" for name in same if after[name] != wanted[name]]
    return wrong, hit


def _said_badly(ended: Ended, fault: Fault) -> list[str]:
    if fault.kind == "kill":
        return [] if ended.code == -KILLED else [f"exit code {ended.code} instead of being killed"]
    lines = ended.said.strip().splitlines()
    if ended.code not in (0, 4):
        return [f"exit code {ended.code}: {ended.said[-300:]}"]
    if ended.code == 4 and len(lines) != 1:
        return [f"{len(lines)} lines: {ended.said[-300:]}"]
    return []


def prepare(case: Case, folder: Path) -> tuple[Path, Path, int]:
    """Return the folder before a case's command, the one after it, and how many changes it makes."""
    before, after, work = folder / "before", folder / "after", folder / "room" / "work"
    work.mkdir(parents=True)  # the same place each time, as what is cached goes by where it came from
    case.made(work)
    for words in case.earlier:
        ended = run(Case(case.name, words), work)
        assert ended.code == 0, ended.said
    shutil.copytree(work, before)
    ended = run(case, work, Fault(NO_FAULT, 0), folder / "count")
    assert ended.code == 0, ended.said
    work.rename(after)
    count, *modules = (folder / "count").read_text().splitlines()
    for module in modules:  # so that the processes forked from this one need not import them
        with contextlib.suppress(ImportError):
            importlib.import_module(module)
    return before, after, int(count)
