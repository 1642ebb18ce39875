"""One run of A2 on one core, by everybody."""

from tests.benchmarks import dlx_runs, peers
from tests.benchmarks.dlx_runs import Command
from tests.benchmarks.peers import LIMIT, NOTEBOOK, PEERS, PLAIN, Peer
from tests.benchmarks.recipe import Recipe
from tests.benchmarks.section import START_UP, TRAINING, WHOLE, Case, Claim, Section, Setting

AUTO, LOOP = "dlx engine=auto", "dlx engine=loop"
EPOCHS, RATE = 150, 1e-3

ABOUT = """
Adam {rate:g}, batch 32, width 128, {epochs} epochs of 1000 + 500 images, one process of one thread (1 x 1)
for everybody. `training` is the epochs with their validation. Start-up is the rest: imports, data; of dlx
also Hydra and files. The peers are those of the suite. Notebook, Lightning and skorch train
{share:.3g} of the epochs, and what these take is scaled; all others train all.
"""


def describe(setting: Setting) -> Section:
    """Return the section."""
    recipe = Recipe(lr=RATE, epochs=EPOCHS)
    contestants = {
        peer.name: peers.contestant(setting, peer, [recipe], processes=1, share=_share(setting, peer))
        for peer in (*PEERS, LIMIT)
    }
    contestants |= {AUTO: lambda: _ours(setting, "auto"), LOOP: lambda: _ours(setting, "loop")}
    notebook, limit = NOTEBOOK.name, LIMIT.name
    return Section(
        about=ABOUT.format(rate=RATE, epochs=EPOCHS, share=setting.share),
        contestants=contestants,
        claims=[
            Claim("training: at most 1.25 times the limit", (AUTO, TRAINING), [(limit, TRAINING)], 1.25),
            Claim("training: at most 35% of the notebook's", (AUTO, TRAINING), [(notebook, TRAINING)], 0.35),
            Claim("the same, whole processes", (AUTO, WHOLE), [(notebook, WHOLE)], 0.35),
        ],
        base=(AUTO, TRAINING),
        cases=[
            Case(
                "one run of A2, one core",
                (AUTO, WHOLE),
                (LOOP, WHOLE),
                peers={peer.name: (peer.name, WHOLE) for peer in PEERS},
                usual={peer.name: (peer.name, WHOLE) for peer in PEERS if peer.usual},
                limit=(limit, WHOLE),
            )
        ],
    )


def _share(setting: Setting, peer: Peer) -> float:
    """Return 1 for what is as fast as dlx, because its first steps must not weigh more than dlx's."""
    return 1.0 if peer in (PLAIN, LIMIT) else setting.share


def _ours(setting: Setting, engine: str) -> dict[str, float]:
    words = (f"optimizer.lr={RATE}", f"engine={engine}", *setting.layout(1))
    wall = dlx_runs.train(Command(setting.words(*words, epochs=EPOCHS), 1))
    return {WHOLE: wall.whole, TRAINING: wall.training, START_UP: wall.start_up}
