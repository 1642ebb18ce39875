"""What is needed to repeat the runs: the command of each, and on what machine and versions they ran."""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlx.report.aggregate import Summary
from dlx.report.listing import ordered
from dlx.report.load import StudyData
from dlx.report.settings import Design
from dlx.report.text import MISSING, visible, write_value
from dlx.run.paths import HYDRA
from dlx.run.result import read_result

OVERRIDES = f"{HYDRA}/overrides.yaml"
MACHINES = 4  # different ones that are described


@dataclass(frozen=True)
class Provenance:
    """`commands` of the runs as they are listed, the `machines` they ran on, facts of the `data`."""

    commands: list[str]
    machines: list[list[tuple[str, str]]]
    data: list[tuple[str, str]]


def describe(study: StudyData, layout: Design, summary: Summary) -> Provenance:
    """Gather what it takes to get the same again."""
    return Provenance(commands(study, layout, summary), machines(study), data_facts(study))


def commands(study: StudyData, layout: Design, summary: Summary) -> list[str]:
    """Return the command that trains each run again, in the order in which the runs are listed.

    It is made of the words that Hydra recorded; of a run without such a record, of the settings that vary,
    and a comment says so.
    """
    rows = ordered(study, layout, summary)
    return [visible(_command(str(row["run"]), Path(row["folder"]), layout)) for row in rows]


def _command(run: str, folder: Path, layout: Design) -> str:
    words = _recorded(folder)
    if words is not None:
        return shlex.join(["dlx", "train", *words])
    values = layout.rows[layout.of_run[run]]
    words = [f"{key.removesuffix('.name')}={write_value(value)}" for key, value in values.items()]
    return shlex.join(["dlx", "train", *words]) + "  # and the settings that all runs share"


def _recorded(folder: Path) -> list[str] | None:
    """Return the words of the request as Hydra wrote them, None where there is no such list."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # a tenth of the time, where it was built
    try:
        words: Any = yaml.load((folder / OVERRIDES).read_bytes(), loader)  # noqa: S506
    except (OSError, yaml.YAMLError):
        return None
    return [str(word) for word in words] if isinstance(words, list) else None


def machines(study: StudyData) -> list[list[tuple[str, str]]]:
    """Describe what the runs ran on, one list of pairs for each device and version of torch.

    Read from one run of each; the first four.
    """
    first = study.runs.drop_duplicates(["device", "torch"])
    return [_machine(Path(folder)) for folder in first["folder"].head(MACHINES)]


def _machine(folder: Path) -> list[tuple[str, str]]:
    result = read_result(folder)
    if result is None:  # removed since it was listed
        return []
    pairs: dict[str, Any] = {"device": result.device, "threads": result.threads}
    extra = result.model_extra or {}
    if isinstance(machine := extra.get("machine"), dict):
        pairs |= machine
    pairs |= result.versions
    return [(visible(str(key)), write_value(value)) for key, value in pairs.items() if value is not None]


def data_facts(study: StudyData) -> list[tuple[str, str]]:
    """Return the data sets, the sizes of their splits and what a sample is, as the runs recorded them."""
    names = {write_value(values.get("data.name")) for values in study.settings.values()}
    facts = [("data", ", ".join(sorted(names)))]
    first = read_result(Path(study.runs["folder"].iloc[0]))
    if len(names) > 1 or first is None:
        return facts
    words = {"train": "training samples", "val": "validation samples", "test": "test samples"}
    facts += [(word, write_value(first.data[key])) for key, word in words.items() if key in first.data]
    if isinstance(shape := first.data.get("input_shape"), list):
        facts.append(("a sample", visible(" x ".join(map(str, shape)))))
    if isinstance(classes := first.data.get("classes"), list):
        facts.append(("classes", visible(", ".join(map(str, classes[:20]))) or MISSING))
    return facts
