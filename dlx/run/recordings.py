"""What a run records besides its numbers: the weights that it keeps, and the files of its probes.

No number depends on it, so a run that is asked for more of it afterwards is the same run. Configurations are
nested here, as a run's `result.json` has them.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dlx.run.result import Result

NONE, AUTO = "none", "auto"
NOTHING = {
    "keep": NONE,
    "probes.layers": False,
    "probes.gradients": False,
    "probes.steps": False,
    "probes.classes": False,
    "probes.logits": [],
    "probes.train_samples": 0,
    "probes.images": 0,
}
SAMPLE = "train_samples"  # another number of them gives other columns, not more


def why_no_checkpoint(config: Mapping[str, Any]) -> str:
    """Say why a run has no checkpoint, and how to get one, in words that follow "has no checkpoint"."""
    keep = config.get("keep", NONE)
    large = "because keep=auto keeps none that may be larger than 32 MB"
    why = large if keep == AUTO else "because of keep=none" if keep == NONE else ""
    return f"{why and ', '}{why}; train again with keep=last or keep=best, which adds one"


def is_recording(key: str) -> bool:
    """Return whether a key, dotted, says what a run records besides its numbers."""
    return key == "keep" or key.startswith("probes.")


def recordings(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a configuration that says what a run records."""
    return {"keep": config.get("keep", NONE), "probes": dict(config.get("probes", {}))}


def lacking(config: Mapping[str, Any], result: "Result") -> list[str]:
    """Return what a configuration asks for that a run which has ended did not record: "keep=best".

    keep=auto asks for nothing: whatever such a run has kept will do.
    """
    keep, had = config.get("keep", NONE), result.config.get("keep", NONE)
    ended_at_best = result.best.get("epoch") == result.last.get("epoch")
    there = result.checkpoint_sha256 is not None and (
        keep == had or (keep == "last" and had == AUTO) or (keep == "best" and ended_at_best)
    )
    words = [] if keep in (NONE, AUTO) or there else [f"keep={keep}"]
    return words + _lacking_probes(config, result.config)


def covers(before: Mapping[str, Any], config: Mapping[str, Any]) -> bool:
    """Return whether one request for a run asks for all that another one asks it to record."""
    keep = config.get("keep", NONE)
    return (keep in (NONE, AUTO) or keep == before.get("keep")) and not _lacking_probes(config, before)


def with_recordings(config: Mapping[str, Any], earlier: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration that also records what an earlier one of the same run does.

    Of two epochs to keep, the one that is asked for now counts.
    """
    keeps = [config.get("keep", NONE), earlier.get("keep", NONE)]
    keep = min(keeps, key=lambda keep: (keep == NONE) + (keep in (NONE, AUTO)))
    probes, had = dict(config.get("probes", {})), earlier.get("probes", {})
    for key, value in probes.items():
        probes[key] = _union(key, value, had.get(key, NOTHING.get(f"probes.{key}", value)))
    more = ({"keep": keep} if "keep" in config else {}) | ({"probes": probes} if probes else {})
    return {**config, **more}


def _lacking_probes(config: Mapping[str, Any], before: Mapping[str, Any]) -> list[str]:
    had = before.get("probes", {})
    return [
        f"probes.{key}={_written(value)}"
        for key, value in config.get("probes", {}).items()
        if _union(key, value, there := had.get(key, NOTHING.get(f"probes.{key}"))) != there
    ]


def _union(key: str, value: Any, had: Any) -> Any:
    if isinstance(value, list):
        return sorted({*value, *(had or [])})
    return value or had if key == SAMPLE else max(value, had or 0)


def _written(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value).replace(" ", "")
