"""Settings and seeds in the names of runs: "adam-lr=0.01-seed3" has them where no file does."""

import re
from typing import Any

from dlx.importers.foreign_run import read_value

PAIR = re.compile(r"(?:^|[/,_ ;&-])([A-Za-z][\w.]*?)=([^/,_ ;&=]+?)(?=$|[/,_ ;&]|-[A-Za-z][\w.]*=)")
SETTING = "run.name"  # the report shows it without a heading, as the choice of a group
# A bare number needs a word before it, or a folder of its own: the 18 of resnet-18 is no seed.
SEED_AT_END = re.compile(
    r"(?:(?:^|[\s/_,-]+)(?:seed|run|rep|repeat|replicate|trial|fold|version|s)[\s_=-]?|/|^)(\d{1,6})$",
    re.IGNORECASE,
)


def settings_of_name(name: str) -> dict[str, Any]:
    """Return the settings that a run's name holds.

    These are its pairs KEY=VALUE. Without any, a number at its end is the seed if it says so ("adam-seed3",
    "adam/3"), and the rest is one setting.
    """
    pairs = {key: read_value(value) for key, value in PAIR.findall(name)}
    if pairs:
        return pairs
    found = SEED_AT_END.search(name)
    return {SETTING: name[: found.start()] or "all", "seed": int(found[1])} if found else {SETTING: name}
