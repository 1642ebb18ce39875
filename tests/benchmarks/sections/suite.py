"""A2 to A6, 37 runs, by everybody."""

from tests.benchmarks import dlx_runs, peers
from tests.benchmarks.dlx_runs import Command
from tests.benchmarks.measure import Contestant
from tests.benchmarks.peers import LIMIT, NOTEBOOK, PEERS, PLAIN, SKORCH
from tests.benchmarks.section import START_UP, WHOLE, Case, Claim, Section, Setting
from tests.benchmarks.suite import RECIPES, preset_of_all

ENGINES = ("auto", "loop")
LIMIT_SHARES = 8  # the limit is fast, and a bound is about it: it trains more of the epochs than peers

ABOUT = """
37 runs on 1000 + 500 images of Fashion-MNIST: optimizer by learning rate (8), batch size (5), batch norm (2),
augmentation (16, of 250 epochs; all others 150), width (6). Wall time, the whole machine at hand for
everyone.

{peers}

dlx: one command, `dlx train sweep=suite`, a preset of the 37 points (each experiment with a seed of its own,
so that no two are one and the same run). Start-up is the time in which no run was being trained.

The limit: the matrix products of training's forward and backward pass and the fused optimizer step. No
autograd, activations, loss, norms, augmentation or validation.

"""
SCALED = """\
The peers train {share:.3g} of each run's epochs, two at least, the limit {limit:.3g}, and what epochs take is
scaled to all of them; start-up and set-up count once. dlx trains all.
"""


def describe(setting: Setting) -> Section:
    """Return the section."""
    best, usual = peers.in_processes(setting), peers.as_usual(setting)
    contestants: dict[str, Contestant] = {}
    for peer in PEERS:
        one = peers.contestant(setting, peer, RECIPES, processes=1, threads=None)
        contestants[f"{peer.name}, {usual}"] = _wall(one)
        contestants[f"{peer.name}, {best}"] = _wall(peers.contestant(setting, peer, RECIPES))
    for engine in ENGINES:
        contestants[f"dlx engine={engine}, {best}"] = _suite(setting, engine)
    limit = f"{LIMIT.name}, {best}"
    contestants[limit] = _wall(peers.contestant(setting, LIMIT, RECIPES, share=_limit_share(setting)))
    auto, loop = ((f"dlx engine={engine}, {best}", WHOLE) for engine in ENGINES)
    bounds = {f"{NOTEBOOK.name}, {usual}": 10, f"{SKORCH.name}, {usual}": 4, f"{PLAIN.name}, {best}": 1}
    faster = [
        Claim(f"at least {bound} times faster than {name}", (name, WHOLE), [auto], bound, at_most=False)
        for name, bound in bounds.items()
    ]
    return Section(
        about=_about(setting),
        contestants=contestants,
        claims=[*faster, Claim("at most 1.7 times the limit", auto, [(limit, WHOLE)], 1.7)],
        base=auto,
        cases=[
            Case(
                f"A2 to A6 of Fashion-MNIST, {len(RECIPES)} runs",
                auto,
                loop,
                peers={f"{peer.name}, {best}": (f"{peer.name}, {best}", WHOLE) for peer in PEERS},
                usual={peer.name: (f"{peer.name}, {usual}", WHOLE) for peer in PEERS if peer.usual},
                limit=(limit, WHOLE),
            )
        ],
    )


def _about(setting: Setting) -> str:
    about = ABOUT.format(peers=peers.about(setting))
    return about + (
        SCALED.format(share=setting.share, limit=_limit_share(setting))
        if setting.share < 1
        else "Everybody trains all epochs.\n"
    )


def _limit_share(setting: Setting) -> float:
    return min(1.0, LIMIT_SHARES * setting.share)


def _wall(contestant: Contestant) -> Contestant:
    def wall() -> dict[str, float]:
        measured = contestant()
        return {WHOLE: measured[WHOLE], START_UP: measured[START_UP]}

    return wall


def _suite(setting: Setting, engine: str) -> Contestant:
    def contestant() -> dict[str, float]:
        layout = setting.layout(setting.processes)
        words = ("sweep=suite", *setting.images.words, f"engine={engine}", *layout, "name=suite")
        preset = {"conf/sweep/suite.yaml": preset_of_all(setting.size)}
        wall = dlx_runs.train(Command(words, len(RECIPES), preset))
        return {WHOLE: wall.whole, START_UP: wall.start_up}

    return contestant
