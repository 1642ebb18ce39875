"""A hundred short runs: what a grid costs beside its training."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.benchmarks import dlx_runs
from tests.benchmarks.dlx_runs import Command
from tests.benchmarks.section import WHOLE, Claim, Section, Setting

SWEEP, PARTS = "100 runs", "100 runs, looked at"
HYDRA = "Hydra"

ABOUT = """
`dlx train data=digits epochs=1 model.width=8 optimizer.lr=(50 values) seed=0,1`. Beside the whole command,
the same one with a thread that looks at the main thread's stack every 2 ms and counts the time for whose code
it finds there, innermost first. Hydra's part includes OmegaConf's and that of dlx's own composition.
Processes that dlx starts are not looked at.
"""


def describe(setting: Setting) -> Section:
    """Return the section."""
    return Section(
        about=ABOUT,
        contestants={SWEEP: lambda: _whole(setting), PARTS: lambda: _parts(setting)},
        claims=[
            Claim("100 runs: under 12 s", (SWEEP, WHOLE), None, 12),
            Claim("Hydra's part of it: under 5 s", (PARTS, HYDRA), None, 5),
        ],
    )


def _words(setting: Setting) -> tuple[str, ...]:
    rates = ",".join(f"{0.001 * (1 + step / 10):.4g}" for step in range(50))
    grid = (f"optimizer.lr={rates}", "seed=0,1", f"engine={setting.engine}")
    return ("data=digits", "epochs=1", "model.width=8", *grid)


def _whole(setting: Setting) -> dict[str, float]:
    return {WHOLE: dlx_runs.train([Command(_words(setting), 100)]).whole}


def _parts(setting: Setting) -> dict[str, float]:
    with TemporaryDirectory() as folder:
        result = Path(folder) / "seconds.json"
        words = ["-m", "tests.benchmarks.hydra_part", str(result), "train", *_words(setting)]
        dlx_runs.call([*words, "output_root=outputs"], Path(folder))
        return {name: float(seconds) for name, seconds in json.loads(result.read_text()).items()}
