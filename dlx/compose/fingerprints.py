"""Looks at the user's own files that a run reads: the sources of its own parts, its arrays or images."""

from dlx.config import Settings
from dlx.data.own_files import data_fingerprints, forget_data
from dlx.own.sources import OwnSource, forget_sources, own_sources
from dlx.run.identity import Fingerprints


def fingerprints_of(settings: Settings) -> Fingerprints:
    """Return the fingerprints of the user's own code and data that a run with these settings reads.

    Each file is looked at once, until `look_again`: all runs of a request see the same version.
    """
    return Fingerprints(
        {name: source.fingerprint for name, source in sources_of(settings).items()},
        data_fingerprints(settings.data),
    )


def sources_of(settings: Settings) -> dict[str, OwnSource]:
    """Return the source files of all of the run's own parts, by name."""
    found: dict[str, OwnSource] = {}
    for target in settings.targets.values():
        found |= own_sources(target)
    return found


def look_again() -> None:
    """Let the next `fingerprints_of` look at the files again."""
    forget_sources()
    forget_data()
