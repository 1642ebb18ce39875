"""The other ways to train the same runs, each as its users have it and as an expert would have it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.measure import Contestant
from tests.benchmarks.recipe import Recipe, shortened
from tests.benchmarks.section import START_UP, TRAINING, WHOLE, Setting
from tests.benchmarks.workers import Job, train_all


@dataclass(frozen=True)
class Peer:
    """A module of this folder with `train(recipe, images)`, and what it is called.

    `usual`: people do it like this.
    """

    name: str
    module: str
    usual: bool = True


NOTEBOOK = Peer("notebook's loop", "notebook")
LIGHTNING = Peer("Lightning", "lightning_net")
SKORCH = Peer("skorch", "skorch_net")
PLAIN = Peer("plain loop", "plain", usual=False)
FUNCTIONAL = Peer("torch.func", "functional", usual=False)
LIMIT = Peer("the limit", "limit", usual=False)
PEERS = (NOTEBOOK, LIGHTNING, SKORCH, PLAIN)

ABOUT = """
The notebook's loop takes images one by one as torchvision gives them (a Pillow image, ToTensor) and fetches
numbers at every step; Lightning has the same data set. skorch has its arrays in memory. The plain loop is
what an expert writes: tensors in memory, batches gathered and augmented at once, a fused optimizer, no number
fetched before the end. "{processes} x 1" is the best that loops can do on these cores: {processes} processes
of one thread, a run at a time each, the longest first, as joblib's n_jobs={processes} does.
"""


def about(setting: Setting) -> str:
    """Return what is said of the peers, in Markdown."""
    return ABOUT.format(processes=setting.processes).strip()


def in_processes(setting: Setting) -> str:
    """Return what the best way is called: as many processes as cores, of a thread each."""
    return f"{setting.processes} x 1"


def as_usual(setting: Setting) -> str:
    """Return what the users' way is called: one process with torch's own threads."""
    return f"1 x {setting.processes}"


def contestant(
    setting: Setting,
    peer: Peer,
    recipes: Sequence[Recipe],
    *,
    processes: int | None = None,
    threads: int | None = 1,
    share: float | None = None,
    file: Path | None = None,
) -> Contestant:
    """Return a peer with these runs in as many processes as cores, if not said otherwise.

    `threads`: None leaves them to torch. `share` of the epochs that is trained, by default the setting's.
    `file`: the images, if other than the setting's.
    """
    job = Job(f"tests.benchmarks.{peer.module}", file or setting.images.file, threads)

    def train() -> dict[str, float]:
        short = [shortened(recipe, setting.size) for recipe in recipes]
        wall = train_all(job, short, processes=processes or setting.processes, share=share or setting.share)
        return {WHOLE: wall.whole, TRAINING: wall.training, START_UP: wall.start_up}

    return train
