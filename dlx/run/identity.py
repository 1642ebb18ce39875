"""Identifies a run by a hash of its configuration, without the keys that only say where results go."""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

# Where results go and how they are named
OUTPUT_KEYS = ("name", "output_root", "slug", "rerun", "baseline")


def identity(config: Mapping[str, Any]) -> str:
    """Return the SHA-256 (hex) of the settings in a resolved configuration that decide what is computed."""
    return hashlib.sha256(comparable(requested(flatten(config))).encode()).hexdigest()


def folder_name(config: Mapping[str, Any]) -> str:
    """Return the name of a run's folder, `<slug>-<hash>`; equal requests have the same folder."""
    slug = re.sub(r"[^\w.=+-]+", "-", str(config["slug"] or _slug(config))).strip("-.")[:100]
    return f"{slug}-{identity(config)[:10]}"


def requested(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that decide what is computed, from a flat configuration.

    `data.root`, the folder of the data's files, counts only for sources that read the user's own files. These
    have a `data.path`.
    """
    ignored = OUTPUT_KEYS if "data.path" in values else (*OUTPUT_KEYS, "data.root")
    return {key: value for key, value in values.items() if key not in ignored}


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


def _slug(config: Mapping[str, Any]) -> str:
    norm, lr = config["model"].get("norm"), config["optimizer"].get("lr")
    parts = [config["model"]["name"], None if norm == "none" else norm, config["optimizer"]["name"]]
    parts += [f"lr{lr:g}" if isinstance(lr, int | float) else None]
    parts += [f"b{config['batch_size']}", f"s{config['seed']}"]
    return "-".join(str(part) for part in parts if part)
