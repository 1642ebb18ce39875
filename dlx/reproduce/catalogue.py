"""The packaged claims, and a user's own: by id, by name, by file."""

import functools
import re
from collections.abc import Sequence
from pathlib import Path

from dlx.errors import RequestError, unknown
from dlx.reproduce.claim import Claim, read_claim

FOLDER = Path(__file__).resolve().parent.parent / "claims"
ALL = "all"


@functools.cache  # 0.25 s, and every name of a request is looked up in it
def packaged() -> tuple[Claim, ...]:
    """Return every packaged claim: those with an id in its order, then the others by name."""
    claims = [read_claim(path) for path in sorted(FOLDER.glob("*.yaml"))]
    return tuple(sorted(claims, key=_place))


def find(names: Sequence[str]) -> list[Claim]:
    """Return the claims of these ids, names and files, each once, in order; `all`: every one with figures.

    Raises RequestError for a name that there is not and for a file that is no claim.
    """
    found: dict[str, Claim] = {}
    for name in names:
        for claim in _find(name):
            other = found.setdefault(claim.claim, claim)
            if other != claim:
                raise RequestError(f"{name}: another claim of this request is called '{claim.claim}' too")
    return list(found.values())


def checks(claim: Claim) -> bool:
    """Return whether anything was published to check."""
    return bool(claim.figures or claim.orders)


def commands(claim: Claim) -> list[str]:
    """Return the commands that run a claim's experiment by itself."""
    presets = [f"dlx train {word}" for word in claim.overrides if word.startswith("sweep=")]
    return claim.commands or presets or [f"dlx reproduce {claim.label}"]


def _find(name: str) -> list[Claim]:
    if name.endswith((".yaml", ".yml")):
        return [_checkable(read_claim(Path(name)))]
    claims = packaged()
    if name == ALL:
        return [claim for claim in claims if checks(claim)]
    for claim in claims:
        if name in (claim.id, claim.claim):
            return [_checkable(claim)]
    raise unknown(
        "claims", name, [ALL, *(label for each in claims for label in (each.id, each.claim) if label)]
    )


def _checkable(claim: Claim) -> Claim:
    if not checks(claim):
        itself = " and ".join(commands(claim))
        raise RequestError(f"{claim.label}: no figure is published to check; the experiment itself: {itself}")
    return claim


def _place(claim: Claim) -> tuple[bool, str, int, str]:
    letter, number = re.fullmatch(r"([A-Z])(\d+)", claim.id).groups() if claim.id else ("", "0")  # type: ignore[union-attr]
    return claim.id is None, letter, int(number), claim.claim
