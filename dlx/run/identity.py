"""Identifies a run by a hash of what it computes: its settings, and the user's own code and data.

The keys that only say where results go do not count.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dlx.run.recordings import NOTHING, is_recording

# Where results go and how they are named, and what costs time or memory but changes no number beyond rounding
OUTPUT_KEYS = (
    *("name", "output_root", "slug", "rerun", "baseline"),
    *("checkpoint.every", "data.storage", "cuda_graphs", "data.repeats"),  # of folds, each of which is a run
)
# Keys that came later: with these values they do not count, so that finished runs keep their folders.
FORMER: dict[str, Any] = {"deterministic": False, "compile": False, "metrics": []}
FORMER |= {"gradient_clip": None, "label_noise": 0, "loss.class_weights": None, "sampler": None, "hooks": []}
FORMER |= {"data.inputs": None, "data.labels": None, "data.task": "auto"}
FORMER |= {"data.folds": None, "data.fold": None, "data.repeat": None}
# How a run is executed, which changes at most the last bits of its numbers, and what it measures. Runs that
# differ in nothing else are two folders, but one setting.
EXECUTION_KEYS = (
    *("device", "threads", "engine.name", "engine.width"),
    *("cuda_graphs", "deterministic", "compile", "metrics"),
)
# The groups whose choices name settings; `choices.model` is the word that was typed, which decides nothing.
CHOSEN = ("model", "optimizer", "schedule", "data", "augment", "loss")
CHOICE = "choices."
SPLIT, FOLDS, REPEATS = "data.split_seed", "data.folds", "data.repeats"
FOLD, REPEAT = "data.fold", "data.repeat"
SEED_KEYS = ("seed", SPLIT, REPEAT, FOLD)
# Where the user's own data lies, which does not count where its content is known
LOCATION_KEYS = ("data.root", "data.path")
DIGITS = 10  # of the hash, in a folder's name
CONTENT = "sha256:"  # begins the fingerprint of a content; any other is of sizes and times


@dataclass(frozen=True)
class Fingerprints:
    """The versions of the user's own files that a run reads: a fingerprint of each, by name.

    `code`: the source files of their module. `data`: their arrays, or their folder of images. Both are empty
    for a run that reads only what dlx and installed packages bring.
    """

    code: Mapping[str, str] = field(default_factory=dict)
    data: Mapping[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Whether the run reads anything of the user's own."""
        return bool(self.code or self.data)

    @property
    def content_of_data_known(self) -> bool:
        """Whether the data is identified by its content, so that it may be moved."""
        return bool(self.data) and all(value.startswith(CONTENT) for value in self.data.values())


def identity(config: Mapping[str, Any], fingerprints: Fingerprints | None = None) -> str:
    """Return the SHA-256 (hex) of all that decides what is computed: settings, the user's own code and data.

    Without fingerprints it is of the settings alone. What a run records besides its numbers does not count.
    """
    flat = flatten(config)
    recorded = {key: value for key, value in NOTHING.items() if key in flat}
    return _hash(_computed(flat) | recorded, fingerprints)


def is_identity(given: str, config: Mapping[str, Any], fingerprints: Fingerprints | None = None) -> bool:
    """Return whether this is a run's identity, or what an earlier dlx computed: `keep` and probes counted."""
    if given == identity(config, fingerprints):
        return True
    flat = flatten(config)
    recorded = {key: value for key, value in flat.items() if is_recording(key)}
    return given == _hash(_computed(flat) | recorded, fingerprints)


def _hash(values: Mapping[str, Any], fingerprints: Fingerprints | None) -> str:
    if fingerprints:
        if fingerprints.content_of_data_known:
            values = {key: value for key, value in values.items() if key not in LOCATION_KEYS}
        own = {"own code": dict(fingerprints.code), "own data": sorted(fingerprints.data.values())}
        values = {**values, **own}
    return hashlib.sha256(comparable(values).encode()).hexdigest()


def folder_name(
    config: Mapping[str, Any], fingerprints: Fingerprints | None = None, words: Sequence[str] = ()
) -> str:
    """Return the name of a run's folder, `<slug>-<hash>`; equal requests have the same hash.

    The slug names the width if one of the `words` that composed the run sets it.
    """
    slug = re.sub(r"[^\w.=+-]+", "-", str(config["slug"] or _slug(config, words))).strip("-.")[:100]
    return f"{slug}-{identity(config, fingerprints)[:DIGITS]}"


def changed_files(before: Fingerprints, now: Fingerprints) -> list[str]:
    """Return the names of the user's own files that differ between two versions, the code's first."""
    return [
        name
        for one, other in ((before.code, now.code), (before.data, now.data))
        for name in dict.fromkeys([*other, *one])
        if one.get(name) != other.get(name)
    ]


def requested(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that decide more than the last bits of a run's numbers, from a flat configuration.

    `data.root`, the folder of the data's files, counts only for sources that read the user's own files. These
    have a `data.path`.
    """
    return {key: value for key, value in _computed(values).items() if key not in EXECUTION_KEYS}


def without_effect(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that change at most the last bits of a run's numbers."""
    return {key: value for key, value in values.items() if key in EXECUTION_KEYS or is_recording(key)}


def _computed(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that decide every bit of a run's numbers, from a flat configuration."""
    former: dict[str, Any] = FORMER | {"precision": values.get("dtype")}
    ignored = (
        *OUTPUT_KEYS,
        *(() if "data.path" in values else ("data.root",)),
        *(key for key, value in former.items() if values.get(key) == value),
    )
    return {
        key: value
        for key, value in values.items()
        if key not in ignored and not is_recording(key) and not key.startswith(CHOICE)
    }


def is_seed(key: str) -> bool:
    """Return whether a key, dotted, is a seed or the number of a fold, to be averaged over."""
    return key in SEED_KEYS or key.startswith("seeds.")


def setting_of(values: Mapping[str, Any]) -> str:
    """Return a text that is equal for runs, by their flat configurations, that differ in seeds alone."""
    return comparable({key: value for key, value in requested(values).items() if not is_seed(key)})


def losses_of(runs: Iterable[Mapping[str, Any]]) -> set[str]:
    """Return the different losses of runs, by their flat configurations, as texts."""
    return {comparable({key: run[key] for key in run if key.startswith("loss.")}) for run in runs}


def flatten(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return a nested configuration as a flat one with dotted keys ("optimizer.lr"); lists stay lists."""
    flat: dict[str, Any] = {}
    for key, value in config.items():
        flat |= flatten(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat


def comparable(value: object) -> str:
    """Return a value as text that is equal for equal requests: 1 equals 1.0, but not true.

    Sizes are the exception: data.train_size=1 means one sample, 1.0 means all of them.
    """
    return json.dumps(_canonical(value), sort_keys=True)


def _canonical(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: item if key.endswith("_size") else _canonical(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_canonical(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _slug(config: Mapping[str, Any], words: Sequence[str]) -> str:
    norm, lr = config["model"].get("norm"), config["optimizer"].get("lr")
    width = config["model"].get("width") if any(word.startswith("model.width=") for word in words) else None
    parts = [_called(config["model"]), width and f"w{width}", None if norm == "none" else norm]
    parts += [_called(config["optimizer"])]
    parts += [f"lr{lr:g}" if isinstance(lr, int | float) else None]
    parts += [f"b{config['batch_size']}", f"s{config['seed']}"]
    data = config.get("data", {})
    if data.get("fold") is not None:
        parts.append(f"r{data['repeat']}f{data['fold']}")
    return "-".join(str(part) for part in parts if part)


def _called(group: Mapping[str, Any]) -> str:
    """Return the name of a group's choice; of the user's own code, that of its class or function."""
    target = group.get("target")
    return target.rpartition(":")[2] if isinstance(target, str) else str(group["name"])
