"""Where data and caches live; imports no torch, so that `dlx doctor` can ask quickly."""

import os
from pathlib import Path

import platformdirs

from dlx.errors import RequestError


def data_root(root: str | None) -> Path:
    """Return the folder of data sets: `data.root`, else the environment's DLX_DATA, else the user's cache.

    A leading ~ is expanded and a relative path is taken from the current folder.
    """
    given = root or os.environ.get("DLX_DATA")
    return _absolute(given) if given else cache_root() / "data"


def cache_root() -> Path:
    """Return the folder for what dlx can make again: the environment's DLX_CACHE, else the user's cache."""
    given = os.environ.get("DLX_CACHE")
    return _absolute(given) if given else Path(platformdirs.user_cache_dir("dlx", appauthor=False))


def below(root: Path, path: str) -> Path:
    """Return `data.path` below the root, or itself if absolute; RequestError if nothing is there."""
    found = root / Path(path).expanduser()
    if not found.exists():
        raise RequestError(
            f"data.path={path}: there is no {found}; data.path is relative to data.root={root}"
        )
    return found


def _absolute(path: str) -> Path:
    return Path(path).expanduser().absolute()
