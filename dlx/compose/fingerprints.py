"""Looks at the user's own files that a run reads: the source of its module, its arrays or images."""

from dlx.config import Settings
from dlx.data.own_files import data_fingerprints, forget_data
from dlx.model.own_code import forget_sources, own_sources
from dlx.run.identity import Fingerprints


def fingerprints_of(settings: Settings) -> Fingerprints:
    """Return the fingerprints of the user's own code and data that a run with these settings reads.

    Each file is looked at once, until `look_again`: all runs of a request see the same version.
    """
    return Fingerprints(
        {name: source.fingerprint for name, source in own_sources(target_of(settings)).items()},
        data_fingerprints(settings.data),
    )


def target_of(settings: Settings) -> str:
    """Return the run's `model.target`; "" if its model is dlx's own."""
    target = settings.model.arguments.get("target") if settings.model.name == "custom" else None
    return target if isinstance(target, str) else ""


def look_again() -> None:
    """Let the next `fingerprints_of` look at the files again."""
    forget_sources()
    forget_data()
