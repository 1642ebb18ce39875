"""The only reader of a run's settings: turns them into a `Run` of plain objects, or says what is wrong.

Everything that can be known to fail before training fails here, with one line for the user.
"""

import functools
import json
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from dlx import device as devices
from dlx import rng
from dlx.augment.pipeline import build_augment
from dlx.config import DataSettings, Settings
from dlx.data.dataset import Dataset, Split, load
from dlx.engine.gradient_probe import GradientProbe
from dlx.engine.layer_probe import LayerProbe
from dlx.engine.layers import LayerFacts, describe_layers, multiply_adds, watch
from dlx.engine.probes import Probes, StepProbe
from dlx.engine.run import Run, Seeds, steps_per_epoch
from dlx.errors import RequestError
from dlx.loss.losses import Loss, losses
from dlx.model.custom import one_line
from dlx.model.init import initialise
from dlx.model.models import models
from dlx.optimizer.optimizers import optimizers
from dlx.optimizer.schedule import build_schedule

CORES = torch.get_num_threads()  # read once: a run of a sweep must not inherit another's
# Multiply-adds of a step's forward pass from which more than one thread pays. With two, whose barriers let
# the core go, 784-128-64-10 in batches of 32 (3.5 million) took 4 times as long, LeNet (13) 1.6 times, the
# cnn (240) and a hidden layer of 3136 in batches of 128 (320) 0.8 and 0.7 times.
THREADED_WORK = 50e6
BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


def build(settings: Settings, threads: int | None = None) -> Run:
    """Build the run that `settings` describe: data on the device, fresh weights, optimizer, schedule.

    And set torch's threads: those of the settings, else `threads`, else as many as the net's size pays for.
    Raises RequestError if anything does not fit.
    """
    device, dtype = devices.select(settings.device), getattr(torch, settings.dtype)
    torch.set_num_threads(settings.threads or threads or CORES)
    data = _load(json.dumps(settings.data.model_dump()), dtype, device)
    loss = losses.build(settings.loss.name, settings.loss.arguments)
    if settings.monitor == "val_accuracy" and not loss.classifies:
        raise RequestError(
            f"monitor=val_accuracy: loss={settings.loss.name} has no accuracy; use monitor=val_loss"
        )
    model = _build_model(settings, data, loss.outputs(len(data.classes))).to(device=device, dtype=dtype)
    _check_batches(settings, data, model)
    layers = _try_model(settings, data, model, loss)
    torch.set_num_threads(settings.threads or threads or _threads(layers, settings.batch_size))
    steps = steps_per_epoch(len(data.train), settings.batch_size, drop_last=settings.drop_last)
    return Run(
        data=data,
        model=model,
        optimizers=_build_optimizers(settings, model),
        schedule=build_schedule(
            settings.schedule.name,
            settings.schedule.arguments,
            warmup_epochs=settings.schedule.warmup,
            epochs=settings.epochs,
            steps_per_epoch=steps,
        ),
        loss=loss,
        augment=build_augment(settings.augment, data.input_shape),
        seeds=Seeds(settings.seeds.order, settings.seeds.augment, settings.seeds.dropout),
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        shuffle=settings.shuffle,
        drop_last=settings.drop_last,
        device=device,
        layers=layers,
        probes=_build_probes(settings, data, model, loss),
    )


def _threads(layers: Sequence[LayerFacts], batch_size: int) -> int:
    return CORES if multiply_adds(layers) * batch_size >= THREADED_WORK else 1


@functools.lru_cache(maxsize=2)  # a sweep's runs share one copy; two, so that a sweep over data can alternate
def _load(settings_json: str, dtype: torch.dtype, device: torch.device) -> Dataset:
    return load(DataSettings.model_validate_json(settings_json), dtype=dtype, device=device)


def _build_model(settings: Settings, data: Dataset, outputs: int) -> nn.Module:
    try:
        with rng.global_state(settings.seeds.init, "init"):
            model = models.build(
                settings.model.name, settings.model.arguments, input_shape=data.input_shape, outputs=outputs
            )
    except (RuntimeError, MemoryError, OverflowError) as error:  # larger than memory, most often
        raise RequestError(
            f"model.name={settings.model.name}: it cannot be built: {one_line(error)}"
        ) from error
    initialise(model, settings.model.init, rng.generator(settings.seeds.init, "weights"))
    if not any(p.requires_grad for p in model.parameters()):
        raise RequestError(f"model.name={settings.model.name}: it has no parameters to train")
    return model


def _build_optimizers(settings: Settings, model: nn.Module) -> list[Optimizer]:
    built = optimizers.build(
        settings.optimizer.name,
        settings.optimizer.arguments,
        parameters=[p for p in model.parameters() if p.requires_grad],
    )
    for group in (group for optimizer in built for group in optimizer.param_groups):
        group["initial_lr"] = group["lr"]  # torch's own name for what schedules multiply
    return built


def _check_batches(settings: Settings, data: Dataset, model: nn.Module) -> None:
    samples, batch = len(data.train), settings.batch_size
    if batch > samples:
        raise RequestError(
            f"batch_size={batch}: larger than the training split of {samples} samples (data.train_size)"
        )
    smallest = batch if settings.drop_last or samples % batch == 0 else samples % batch
    if smallest == 1 and any(isinstance(module, BATCH_NORMS) for module in model.modules()):
        what = f"of {samples} training samples a last batch of one is left" if batch > 1 else "a batch of one"
        other = " or drop_last=true" if batch > 1 else ""
        raise RequestError(
            f"batch_size={batch}: {what}, which BatchNorm cannot normalise; use another batch_size{other}"
        )


@torch.no_grad()
def _try_model(settings: Settings, data: Dataset, model: nn.Module, loss: Loss) -> Sequence[LayerFacts]:
    """Try the model on two samples: a module of the user's may give anything. Return its layers."""
    inputs, labels = data.train.slice(0, 2)
    shapes: dict[str, tuple[int, ...] | None] = {}

    def see(layer: str, output: Tensor) -> None:
        by_sample = output.shape[:1] == labels.shape
        shapes.setdefault(layer, tuple(output.shape[1:]) if by_sample else None)

    model.eval()
    where = f"model.name={settings.model.name}"
    try:
        with rng.global_state(settings.seeds.dropout, "try"), watch(model, see):
            outputs = model(inputs)
    except Exception as error:  # of the user's code: any
        raise RequestError(
            f"{where}: it cannot take a batch of shape {tuple(inputs.shape)}: {one_line(error)}"
        ) from error
    needed = loss.outputs(len(data.classes))
    if not isinstance(outputs, torch.Tensor) or outputs.shape != (len(labels), needed):
        got = tuple(outputs.shape) if isinstance(outputs, torch.Tensor) else type(outputs).__name__
        raise RequestError(
            f"{where}: {len(data.classes)} classes under {settings.loss.name} need outputs of shape "
            f"(batch, {needed}); for a batch of {len(labels)} it gave {got}"
        )
    return describe_layers(model, shapes)


def _build_probes(settings: Settings, data: Dataset, model: nn.Module, loss: Loss) -> Probes:
    probes = settings.probes
    if probes.classes and not loss.classifies:
        raise RequestError(f"probes.classes=True: loss.name={settings.loss.name} knows no classes")
    if probes.images and len(data.input_shape) != 3:
        raise RequestError(
            f"probes.images={probes.images}: needs images (channels, height, width),"
            f" the data set has {data.input_shape[0]} features"
        )
    return Probes(
        layers=LayerProbe(model) if probes.layers else None,
        gradients=GradientProbe(dict(model.named_parameters())) if probes.gradients else None,
        steps=StepProbe() if probes.steps else None,
        classes=probes.classes,
        logits=frozenset(probes.logits),
        train_sample=_train_sample(data.train, probes.train_samples, settings.data.split_seed or 0),
        images=probes.images,
    )


def _train_sample(train: Split, count: int, seed: int) -> Split | None:
    """Return `count` samples, the same at every call and those of a smaller count among them; at most all."""
    if count == 0 or count >= len(train):
        return train if count else None
    draws = rng.generator(seed, "train_samples")
    index = torch.randperm(len(train), generator=draws)[:count].to(train.labels.device)
    return Split(train.inputs[index], train.labels[index], train.standardise)
