"""On a GPU: seeds of A2's net beside one run and beside processes, convolutions beside the limit."""

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch import Tensor, nn

from dlx.data.source import data_root
from dlx.engine.cuda_graph import CudaGraph
from dlx.model.models import models
from dlx.run.history import read_columns
from tests.benchmarks import dlx_runs
from tests.benchmarks.dlx_runs import Command
from tests.benchmarks.images import synthetic, write
from tests.benchmarks.measure import Contestant
from tests.benchmarks.section import TRAINING, WHOLE, Claim, Measured, Section, Setting, median

EPOCHS = 40
SEEDS, MANY = (1, 8, 64, 256), 64
PROCESSES = (4, 8, 16)
ONE_EPOCH = "an epoch"
VARIANTS: Mapping[str, tuple[str, ...]] = {
    "cuda_graphs=false": ("cuda_graphs=false",),
    "precision=bfloat16": ("precision=bfloat16",),
    "compile=true": ("compile=true",),
}
# Nets of dlx, by the name under which they are registered, with arguments.
NETS: Mapping[str, tuple[str, Mapping[str, object]]] = {
    "LeNet": ("lenet", {}),
    "ResNet-20": ("resnet", {"blocks": 3, "width": 16}),
}
IMAGES, VAL_IMAGES, BATCH, NET_EPOCHS = 20_000, 1000, 256, 12
AIRBENCH, ACCURACY = "dlx train sweep=airbench device=cuda precision=bfloat16", "accuracy"

ABOUT = """
`dlx train device=cuda seed=range(N)`, the net and data of A2, {epochs} epochs. N > 1: `engine=stacked`,
in stacks of at most 32, the width where so little is to be done that dlx does not measure widths.
`{one_epoch}` is of all runs together, with validation: the median over the epochs after the first. `training`
is all epochs; in the first, torch loads its kernels and CUDA graphs are recorded. "In P processes": {many}
runs in P commands of `engine=loop` at once on the same GPU, {many} / P runs each.

LeNet and ResNet-20: {images:,} synthetic images of 28x28, batches of {batch}, Adam, with validation on
{val_images:,}. Their limit is the forward and backward pass of the bare net on one batch that stays where it
is, as a CUDA graph: no optimizer, data, metrics or validation.
"""
RECIPE = f"""
`{AIRBENCH}`: its test accuracy after the tenth epoch, and how long it took.
"""


def describe(setting: Setting) -> Section:
    """Return the section."""
    contestants = {_seeds_name(seeds): _seeds(setting, seeds) for seeds in SEEDS}
    for variant, words in VARIANTS.items():
        for seeds in (1, MANY) if variant != "compile=true" else (1,):  # which takes another way than graphs
            contestants[_seeds_name(seeds, variant)] = _seeds(setting, seeds, *words)
    for processes in PROCESSES:
        contestants[_processes_name(processes)] = _processes(setting, processes)
    for net in NETS:
        contestants[net] = _net(setting, net)
        for variant in ("cuda_graphs=false", "precision=bfloat16"):
            contestants[f"{net}, {variant}"] = _net(setting, net, *VARIANTS[variant])
        contestants[_limit_name(net)] = partial(_limit, net)
    about = ABOUT.format(
        epochs=EPOCHS, many=MANY, images=IMAGES, val_images=VAL_IMAGES, batch=BATCH, one_epoch=ONE_EPOCH
    )
    if has_cifar10():
        about += RECIPE
        contestants["airbench"] = _airbench
    return Section(
        about=about,
        contestants=contestants,
        claims=_claims(),
        conclude=_images_a_second,
    )


def _claims() -> list[Claim]:
    one, many = _seeds_name(1), _seeds_name(MANY)
    in_processes = [(_processes_name(processes), WHOLE) for processes in PROCESSES]
    return [
        Claim(f"{many} in at most 1.5 times one, an epoch", (many, ONE_EPOCH), [(one, ONE_EPOCH)], 1.5),
        Claim("the same, whole commands", (many, WHOLE), [(one, WHOLE)], 1.5),
        Claim(f"{many} as a stack at most as long as in processes", (many, WHOLE), in_processes, 1),
        *(
            Claim(
                f"{net}: at most 1.25 times the limit",
                (net, ONE_EPOCH),
                [(_limit_name(net), ONE_EPOCH)],
                1.25,
            )
            for net in NETS
        ),
    ]


def _images_a_second(measured: Measured) -> str:
    rows = ["| net | images a second |", "| --- | ---: |"]
    for name in (name for name in measured if name.startswith(tuple(NETS))):
        seconds = median(measured, (name, ONE_EPOCH))
        rows.append(f"| {name} | {'not measured' if seconds is None else f'{IMAGES / seconds:,.0f}'} |")
    return "\n".join(rows)


def _seeds_name(seeds: int, variant: str = "") -> str:
    return f"{seeds} {'run' if seeds == 1 else 'runs'}{variant and f', {variant}'}"


def _processes_name(processes: int) -> str:
    return f"{MANY} runs in {processes} {'process' if processes == 1 else 'processes'}"


def _limit_name(net: str) -> str:
    return f"{net}, the limit"


def _seeds(setting: Setting, seeds: int, *words: str) -> Contestant:
    engine = "engine=stacked" if seeds > 1 else "engine=loop"
    command = _command(setting, range(seeds), engine, *words)

    def contestant() -> dict[str, float]:
        with TemporaryDirectory() as name:
            wall = dlx_runs.train_in(Path(name), command)
            return {WHOLE: wall.whole, TRAINING: wall.training, ONE_EPOCH: seconds_an_epoch(Path(name))}

    return contestant


def _processes(setting: Setting, processes: int) -> Contestant:
    share = MANY // processes
    commands = [
        _command(setting, range(first, first + share), "engine=loop") for first in range(0, MANY, share)
    ]

    def contestant() -> dict[str, float]:
        began = time.perf_counter()
        with ThreadPoolExecutor(processes) as pool:
            list(pool.map(dlx_runs.train, commands))
        return {WHOLE: time.perf_counter() - began}

    return contestant


def _command(setting: Setting, seeds: range, *words: str) -> Command:
    grid = ("device=cuda", f"seed=range({seeds.start},{seeds.stop})", "optimizer.lr=1e-4")
    return Command(setting.words(*grid, *words, epochs=EPOCHS), len(seeds))


def _net(setting: Setting, net: str, *words: str) -> Contestant:
    model, arguments = NETS[net]
    keys = [f"model.{key}={value}" for key, value in arguments.items()]
    epochs = setting.epochs(NET_EPOCHS)

    def contestant() -> dict[str, float]:
        with TemporaryDirectory() as name:
            folder = Path(name)
            write(synthetic(IMAGES, VAL_IMAGES), folder / "images.npz")
            data = ("data=npz", f"data.root={folder}", "data.path=images.npz", f"batch_size={BATCH}")
            run = (f"model={model}", *keys, "device=cuda", f"epochs={epochs}", *words)
            dlx_runs.train_in(folder, Command((*data, *run), 1))
            return {ONE_EPOCH: seconds_an_epoch(folder)}

    return contestant


def has_cifar10() -> bool:
    """Return whether CIFAR-10 is where `dlx train data=cifar10` looks for it."""
    return (data_root(None) / "cifar-10-batches-py").is_dir()


def _airbench() -> dict[str, float]:
    with TemporaryDirectory() as name:
        wall = dlx_runs.train_in(Path(name), Command(tuple(AIRBENCH.split()[2:]), 1))
        (history,) = Path(name).glob("outputs/*/*/history.csv")
        accuracy = float(read_columns(history)["val_accuracy"][-1])
    return {WHOLE: wall.whole, TRAINING: wall.training, ACCURACY: accuracy}


def seconds_an_epoch(folder: Path) -> float:
    """Return the median over the epochs of a folder's runs together, without the first, which warms up."""
    histories = folder.glob("outputs/*/*/history.csv")
    epochs = sum(np.diff(read_columns(history)["time"])[1:] for history in histories)
    return float(np.median(epochs))


def _limit(net: str) -> dict[str, float]:
    return {ONE_EPOCH: limit(net, torch.device("cuda"))}


def limit(net: str, device: torch.device) -> float:
    """Return the seconds of an epoch's forward and backward passes."""
    name, arguments = NETS[net]
    model = models.build(name, dict(arguments), input_shape=(1, 28, 28), outputs=10).to(device)
    inputs = torch.zeros(BATCH, 1, 28, 28, device=device)
    labels = torch.zeros(BATCH, dtype=torch.int64, device=device)

    def passes() -> tuple[Tensor, ...]:
        loss = nn.functional.cross_entropy(model(inputs), labels)
        return (loss, *torch.autograd.grad(loss, list(model.parameters())))

    graph = CudaGraph()
    graph.warm_up(passes)
    graph.capture(passes, [])
    torch.cuda.synchronize()
    began = time.perf_counter()
    for _ in range(-(-IMAGES // BATCH)):
        graph.replay()
    torch.cuda.synchronize()
    return time.perf_counter() - began
