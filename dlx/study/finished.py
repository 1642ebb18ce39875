"""Which runs need not be trained: the result that stands in a run's folder."""

from pathlib import Path
from typing import Any

from dlx.errors import RequestError
from dlx.run.format_version import NewerFormatError
from dlx.run.identity import Fingerprints, identity, is_identity
from dlx.run.paths import RESULT
from dlx.run.recordings import lacking
from dlx.run.result import Result, read_result


def finished_result(folder: Path, config: dict[str, Any], fingerprints: Fingerprints) -> Result | None:
    """Return the result in `folder` of a run with this identity that need not be trained; else None.

    It has the checkpoint and the probes that are asked for. Raises RequestError as `standing_result` does.
    """
    result = standing_result(folder, config, fingerprints)
    return None if result is None or lacking(config, result) else result


def standing_result(folder: Path, config: dict[str, Any], fingerprints: Fingerprints) -> Result | None:
    """Return the result in `folder` of a run with this identity, unless it failed.

    Raises RequestError if the result cannot be read, or is another configuration's.
    """
    try:
        result = read_result(folder)
    except NewerFormatError:
        raise
    except ValueError as error:
        raise RequestError(f"{error}; rerun=true trains the run again") from error
    if result is None or result.status == "failed":
        return None
    same = identity(config, fingerprints) == identity(result.config, result.fingerprints)
    if not same or not is_identity(result.identity, result.config, result.fingerprints):
        raise RequestError(f"{folder / RESULT}: belongs to another configuration; rerun=true replaces it")
    return result
