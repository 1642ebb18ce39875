"""The format of the folders that dlx writes. docs/reference/files.md says which of them later versions read.

Without a number: until 25 November 2026. A study is a folder of runs, without `.study`.
Format 1: since 25 November 2026.
Format 2: since 26 November 2026. `keep` and probes do not count in a run's identity and its folder's name.
The checkpoint of a last epoch holds the optimizer's state. `result.json` also has the number.
"""

from pathlib import Path

from dlx.errors import RequestError

FORMAT = 2  # increases when a file, a key or a column that readers need is renamed, moved or redefined


class NewerFormatError(RequestError):
    """A file that a newer version of dlx wrote."""


def refuse_newer(path: Path, found: object, known: int = FORMAT) -> None:
    """Raise NewerFormatError if a file's format was `found` to be newer than the one that is `known`."""
    if isinstance(found, int) and found > known:
        raise NewerFormatError(
            f"{path}: written by a newer version of dlx (format {found}; this version reads up to {known}); "
            "install a newer dlx to read it"
        )
