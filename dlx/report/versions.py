"""Tells versions of the user's own code and data apart: runs of unlike versions are never one setting.

Of a setting that was trained with several versions, the one that was last asked for is compared. Versions
that differ between settings become a key, "code" or "data.files", so that a reader sees it.
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dlx.errors import list_words
from dlx.report.text import visible, write_count
from dlx.run.identity import LOCATION_KEYS, Fingerprints, changed_files, setting_of
from dlx.run.paths import RESULT

Settings = dict[str, dict[str, Any]]  # by run, with dotted keys
CODE, DATA = "code", "data.files"


def forget_moves(settings: Settings, fingerprints: Mapping[str, Fingerprints]) -> None:
    """Give equal data one place in the settings: a file that was moved between runs is not another file."""
    places: dict[str, dict[str, Any]] = {}
    for run, values in settings.items():
        own = fingerprints[run]
        if own.content_of_data_known:
            here = {key: values.get(key) for key in LOCATION_KEYS}
            settings[run] = values | places.setdefault(json.dumps(sorted(own.data.values())), here)


def find_superseded(
    settings: Settings, fingerprints: Mapping[str, Fingerprints], folders: Mapping[str, Path]
) -> dict[str, str]:
    """Return the runs of earlier versions of a setting, each with the reason to leave it out."""
    if not any(fingerprints.values()):
        return {}
    by_setting: dict[str, dict[str, list[str]]] = {}
    for run, values in settings.items():
        versions = by_setting.setdefault(setting_of(values), {})
        versions.setdefault(_written(fingerprints[run]), []).append(run)
    several = [versions for versions in by_setting.values() if len(versions) > 1]
    asked = _last_asked([folders[run] for versions in several for runs in versions.values() for run in runs])
    left_out: dict[str, str] = {}
    for versions in several:
        current = max(versions.values(), key=lambda runs: max(asked[folders[run]] for run in runs))
        compared = f"{write_count(len(current), 'run')} of the current version {_are(len(current))} compared"
        for run in (run for runs in versions.values() if runs is not current for run in runs):
            left_out[run] = f"{_earlier(fingerprints[run], fingerprints[current[0]])}; {compared}"
    return left_out


def name_versions(
    settings: Settings, fingerprints: Mapping[str, Fingerprints], folders: Mapping[str, Path]
) -> None:
    """Add a key to the settings of runs whose code or data has one version here and another there."""
    for key, part, of in ((CODE, "code", ".target"), (DATA, "data", "data.path")):
        versions: dict[str, dict[str, list[str]]] = {}
        for run, values in settings.items():
            if own := getattr(fingerprints[run], part):
                written = json.dumps(sorted(own.items() if part == "code" else own.values()))
                named = str(sorted((each, values[each]) for each in values if each.endswith(of)))
                versions.setdefault(named, {}).setdefault(written, []).append(run)
        for several in (each for each in versions.values() if len(each) > 1):
            asked = _last_asked([folders[run] for runs in several.values() for run in runs])
            in_order = sorted(several.values(), key=lambda runs: min(asked[folders[run]] for run in runs))
            for number, runs in enumerate(in_order, start=1):
                for run in runs:
                    settings[run][key] = f"version {number}"


def _written(own: Fingerprints) -> str:
    return json.dumps([sorted(own.code.items()), sorted(own.data.values())])


def _earlier(before: Fingerprints, now: Fingerprints) -> str:
    names = visible(list_words(changed_files(before, now)))
    if not before:
        return f"trained before dlx recorded {names}"
    return f"trained with {'an earlier' if now else 'another'} {names}"


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _last_asked(folders: list[Path]) -> dict[Path, tuple[str, int]]:
    """Return when each run was last asked for: the time, and the request's number within its study.

    A run outside a study was asked for when its result was written.
    """
    from dlx.study.study import Study

    requests: dict[tuple[Path, str], tuple[str, int]] = {}
    for study in dict.fromkeys(folder.resolve().parent for folder in folders):
        with suppress(ValueError):  # damaged: the times of the results have to do
            for number, request in enumerate(Study(study).requests):
                requests |= {(study, run["name"]): (request["time"], number) for run in request["runs"]}
    return {
        folder: requests.get((folder.resolve().parent, folder.name)) or (_ended(folder), 0)
        for folder in folders
    }


def _ended(folder: Path) -> str:
    seconds = (folder / RESULT).stat().st_mtime
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
