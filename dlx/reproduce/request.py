"""A claim as the words of one `dlx train`: its settings, once for each seed and split."""

from collections.abc import Sequence

from dlx.errors import RequestError
from dlx.report.text import write_value
from dlx.reproduce.claim import Claim, Value

OWN_KEYS = {"seed": "--seeds K says how many", "name": "it is the claim's", "sweep": "it is the claim's"}


def train_words(claim: Claim, seeds: int, extra: Sequence[str]) -> list[str]:
    """Return the words: of several for one key the last counts, so a claim may fix the split.

    Everything that chance decides varies with the seed: the split, the first weights, the order, the draws.
    """
    grid = [f"{key}={','.join(map(_written, values))}" for key, values in claim.grid.items()]
    repeats = [f"seed={','.join(map(str, range(seeds)))}", "data.split_seed=${seed}"]
    return [*repeats, *claim.overrides, *grid, f"name={claim.claim}", *extra]


def check_extra(extra: Sequence[str]) -> None:
    """Raise RequestError for a word of the user's that a reproduction sets by itself."""
    for word in extra:
        key, equals, _ = word.partition("=")
        if not equals and not word.startswith("~"):
            raise RequestError(f"'{word}' is neither a claim nor of the form KEY=VALUE")
        if key in OWN_KEYS:
            raise RequestError(f"{word}: '{key}' cannot be set here: {OWN_KEYS[key]}")


def seeds_for(claim: Claim, asked: int | None) -> int:
    """Return how many seeds to run: those asked for, else the claim's; 1 if nothing is drawn at random."""
    return claim.seeds if asked is None or claim.seeds == 1 else asked


def _written(value: Value) -> str:
    return "null" if value is None else write_value(value) if not isinstance(value, float) else repr(value)
