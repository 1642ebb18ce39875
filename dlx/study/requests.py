"""What was asked of a study: the runs, and a file for each request that asked for some of them."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from dlx.errors import RequestError
from dlx.run.documents import read_json, shorten
from dlx.run.files import STUDY_LIMIT, make_folder, open_regular
from dlx.run.format_version import FORMAT, refuse_newer
from dlx.run.identity import Fingerprints, identity
from dlx.run.paths import STUDY, write_atomically
from dlx.run.recordings import covers

if TYPE_CHECKING:
    from dlx.config import Settings


@dataclass(frozen=True)
class StudyRun:
    """A run as it was asked for."""

    name: str  # of its folder
    label: str  # what told it from the other runs of its request
    words: list[str]  # the overrides that composed it
    config: dict[str, Any]  # resolved
    fingerprints: Fingerprints = field(default_factory=Fingerprints)  # of the user's own code and data
    choices: dict[str, str] = field(default_factory=dict)  # from groups, as typed: optimizer: slow_sgd

    def entry(self) -> dict[str, Any]:
        """Return what a request's file says of the run."""
        own = {"fingerprints": asdict(self.fingerprints)} if self.fingerprints else {}
        said = {"name": self.name, "label": self.label, "words": self.words, "config": self.config}
        return said | own | ({"choices": self.choices} if self.choices else {})

    @classmethod
    def from_entry(cls, entry: dict[str, Any]) -> "StudyRun":
        """Return the run that `entry` described."""
        run = _ENTRY.validate_python(entry)
        if not run.name or run.name != Path(run.name).name:  # ../x is no folder of a study
            raise ValueError(f"'{shorten(run.name)}' is not the name of a run's folder")
        return run

    @cached_property
    def settings(self) -> "Settings":
        """The checked configuration."""
        from dlx.config import check_values  # 40 ms, and a report needs no settings

        return check_values(self.config)

    @property
    def identity(self) -> str:
        """The hash of what it computes."""
        return identity(self.config, self.fingerprints)


_ENTRY = TypeAdapter(StudyRun)
_TEXT = TypeAdapter(list[str])


class Requests:
    """The requests of the study in `folder`. Files that were read before are not read again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: list[dict[str, Any]] = []
        self._runs: dict[str, StudyRun] = {}

    @property
    def all(self) -> list[dict[str, Any]]:
        """The requests in order: each with `time`, `dlx`, `words`, and `runs`, which have a `name` each.

        `source` says what it ran on (see `dlx.study.source`). Raises RequestError for a damaged file.
        """
        for path in self._files()[len(self._read) :]:
            request = read_study_file(path)
            if isinstance(request, dict):
                refuse_newer(path, request.get("format"))
            try:
                # An entry without a configuration is of a run that an earlier request has asked for just so.
                new = [StudyRun.from_entry(run) for run in request["runs"] if "config" in run]
                _TEXT.validate_python([request["time"], *_names(request)])
            except (KeyError, TypeError, ValueError) as error:
                raise damaged(path, error) from error
            self._read.append(request)
            self._runs |= {run.name: run for run in new}
        return self._read

    @property
    def runs(self) -> dict[str, StudyRun]:
        """Every run that was asked for, by name, in the order of the requests."""
        _ = self.all
        return self._runs

    @property
    def has_earlier_names(self) -> bool:
        """Whether a request is of format 1, in whose folders' names `keep` and probes counted."""
        begin = b'{"format": 1,'
        for path in self._files():
            with open_regular(path, STUDY_LIMIT) as file:
                if file.read(len(begin)) == begin:
                    return True
        return False

    def add(
        self,
        words: Sequence[str],
        version: str,
        runs: Sequence[StudyRun],
        record_source: Callable[[], dict[str, Any]],
    ) -> None:
        """Write down what is asked for; a request for the same runs is not written twice.

        One that reads the user's own code or data is, unless it is the last: it may return to an earlier
        version, and the last request says which counts. `record_source` is called when one is written.
        """
        before, known = self.all, self.runs
        for run in runs:
            there = known.get(run.name)
            if there and there.config != run.config and there.identity != run.identity:
                raise RequestError(
                    f"{self._folder} records another configuration as {run.name}; choose another name="
                )
        names = [run.name for run in runs]
        asked = [_names(request) for request in before]
        kept = {run.name for run in runs if run.name in known and _is_kept_as(known[run.name], run)}
        again = names in asked[-1:] or (names in asked and not any(run.fingerprints for run in runs))
        if again and kept.issuperset(names):
            return
        request = {
            "format": FORMAT,
            "time": _now(),
            "dlx": version,
            "words": list(words),
            "source": record_source(),
            "runs": [run.entry() if run.name not in kept else {"name": run.name} for run in runs],
        }
        folder = make_folder(self._folder, STUDY, "requests")
        write_atomically(folder / f"{len(before) + 1:04}.json", (json.dumps(request) + "\n").encode())

    def _files(self) -> list[Path]:
        return sorted((self._folder / STUDY / "requests").glob("*.json"))


def _names(request: dict[str, Any]) -> list[str]:
    return [run["name"] for run in request["runs"]]


def _is_kept_as(before: StudyRun, now: StudyRun) -> bool:
    """Return whether a run is to record what it was to before, as often, with its data in the same place."""
    if not covers(before.config, now.config):
        return False
    kept = [
        (run.config.get("checkpoint", {"every": "auto"}), run.config.get("data", {}).get("storage", "auto"))
        for run in (before, now)
    ]
    return bool(kept[0] == kept[1])


def read_study_file(path: Path) -> Any:
    """Read one of a study's own JSON files; raises RequestError for what is not JSON, or too large."""
    try:
        return read_json(path, STUDY_LIMIT)
    except ValueError as error:
        raise RequestError(str(error)) from error


def damaged(path: Path, error: Exception) -> RequestError:
    """Return the error for a file of a study whose content is not what dlx writes."""
    if isinstance(error, RequestError):
        return error
    return RequestError(f"{path}: not what dlx has written ({type(error).__name__}: {shorten(error)})")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
