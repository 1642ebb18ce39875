"""Says which of the user's own files have changed since runs were trained, and what becomes of those runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dlx.compose.fingerprints import sources_of
from dlx.errors import list_words
from dlx.own.sources import OwnSource, decode_source, significant_lines
from dlx.run.files import YAML_LIMIT, read_bytes
from dlx.run.identity import Fingerprints, changed_files, flatten, identity, setting_of
from dlx.run.result import read_result
from dlx.study.requests import StudyRun
from dlx.study.source import copy_of
from dlx.study.study import Study

if TYPE_CHECKING:
    from dlx.compose.request import ComposedRun  # imports Hydra


def describe_change(
    before: Fingerprints, now: Fingerprints, since: str, copies: Path, sources: Mapping[str, OwnSource]
) -> str:
    """Say which own files differ between two versions: "mynet.py has changed since ... (12 lines)".

    Returns "" if none does. `since`: "seed 0 was trained". `copies`: the study's folder of source files.
    `sources`: these files as they are now.
    """
    names = changed_files(before, now)
    if not names:
        return ""
    named, plural = list_words(names), len(names) > 1
    if not before:
        return f"{named} {'were' if plural else 'was'} not recorded when {since}"
    lines = _changed_lines([name for name in names if name not in now.data], before, copies, sources)
    counted = f" ({lines} line{'s' if lines > 1 else ''})" if lines else ""
    return f"{named} {'have' if plural else 'has'} changed since {since}{counted}"


def changes_before_training(study: Study, runs: "Sequence[ComposedRun]") -> list[str]:
    """Say what has changed since earlier runs were trained that differ from `runs` in their seeds at most.

    `runs` are about to be trained. Each sentence ends with what becomes of the earlier runs.
    """
    by_setting: dict[str, list[ComposedRun]] = {}
    for run in runs:
        if run.fingerprints:
            by_setting.setdefault(setting_of(flatten(run.config)), []).append(run)
    if not by_setting:
        return []
    earlier: dict[str, list[StudyRun]] = {}
    for old in study.runs.values():
        if (setting := setting_of(flatten(old.config))) in by_setting:
            earlier.setdefault(setting, []).append(old)
    found: dict[tuple[str, str], _Stale] = {}
    for setting, olds in earlier.items():
        asked = by_setting[setting]
        now = asked[0].fingerprints
        ended = [old for old in olds if _ended(study, old)]
        current = {identity(old.config) for old in ended if old.fingerprints == now}
        stale = [old for old in ended if old.fingerprints != now and identity(old.config) not in current]
        if not stale:
            continue
        last = [old for old in stale if old.fingerprints == stale[-1].fingerprints]
        key = str(last[0].fingerprints), str(now)
        group = found.setdefault(key, _Stale([], set(), asked[0]))
        group.settings.append(last)
        group.asked_again.update(identity(run.config) for run in asked)
    return [each.sentence(study) for each in found.values()]


def _ended(study: Study, run: StudyRun) -> bool:
    try:
        result = read_result(study.folder / run.name)
    except ValueError:  # damaged, which asking for it will say
        return False
    return result is not None and result.status != "failed"


@dataclass(frozen=True)
class _Stale:
    """Runs of an earlier version, by setting; what is asked for again, by identity; a run of this version."""

    settings: list[list[StudyRun]]
    asked_again: set[str]
    example: "ComposedRun"

    def sentence(self, study: Study) -> str:
        runs = [run for setting in self.settings for run in setting]
        again = [run for run in runs if identity(run.config) in self.asked_again]
        left = [run for run in runs if run not in again]
        said = describe_change(
            runs[0].fingerprints,
            self.example.fingerprints,
            f"{self._named(runs)} {'was' if len(runs) == 1 else 'were'} trained",
            study.source_folder,
            sources_of(self.example.settings),
        )
        it = "it" if len(runs) == 1 else "them"
        if not left:
            return f"{said}: training {it} again"
        if not again:
            return f"{said}: the report leaves {it} out unless you ask for {self._named(runs)} again"
        return f"{said}: training {self._named(again)} again; the report leaves out {self._named(left)}"

    def _named(self, runs: Sequence[StudyRun]) -> str:
        """Return "seeds 0 and 1" where nothing else tells the runs apart, else "6 runs"."""
        seeds = sorted({run.settings.seed for run in runs})
        if len(self.settings) > 1 or len(seeds) < len(runs):
            return f"{len(runs)} run{'s' if len(runs) > 1 else ''}"
        if len(seeds) > 3:
            whole = seeds == list(range(seeds[0], seeds[-1] + 1))
            return f"seeds {seeds[0]} to {seeds[-1]}" if whole else f"{len(seeds)} seeds"
        return f"seed{'s' if len(seeds) > 1 else ''} {list_words(map(str, seeds))}"


def _changed_lines(
    names: Sequence[str], before: Fingerprints, copies: Path, sources: Mapping[str, OwnSource]
) -> int | None:
    """Return in how many lines that count the source files differ; None if an earlier copy is gone."""
    from difflib import SequenceMatcher

    count = 0
    for name in names:
        old: tuple[str, ...] = ()
        if name in before.code:
            try:
                content = read_bytes(copy_of(copies, name, before.code[name]), YAML_LIMIT)
            except (OSError, ValueError):
                return None
            old = significant_lines(decode_source(content))
        new = sources[name].lines if name in sources else ()
        matcher = SequenceMatcher(None, old, new, autojunk=False)
        count += sum(
            max(old_end - old_start, new_end - new_start)
            for kind, old_start, old_end, new_start, new_end in matcher.get_opcodes()
            if kind != "equal"
        )
    return count
