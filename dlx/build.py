"""The only reader of a run's configuration: turns it into a `Run` of plain objects.

All that can fail before training fails here, with one line for the user.
"""

import functools
import json
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from dlx import rng
from dlx.augment.transforms import build_augment
from dlx.config import DataSettings, SeedSettings, Settings
from dlx.data.dataset import Dataset, Split, load
from dlx.data.label_noise import with_label_noise
from dlx.data.own_files import check_unchanged, data_fingerprints
from dlx.device import select_device
from dlx.engine.hooks import load_hook
from dlx.engine.memory import check_model_memory
from dlx.engine.model_summary import multiply_adds
from dlx.engine.probes import GradientProbe, LayerProbe, Probes, StepProbe
from dlx.engine.run import Run, Seeds, steps_per_epoch
from dlx.engine.task import find_monitor, find_task
from dlx.errors import RequestError
from dlx.execution import Execution, prepare
from dlx.loss.losses import Loss, losses
from dlx.metrics.catalogue import Task
from dlx.metrics.metrics import Metric, build_metrics, try_metric
from dlx.model.models import FittedToInputs, initialise, models
from dlx.optimizer.optimizers import build_optimizers
from dlx.optimizer.schedule import build_schedule
from dlx.own.sources import own_sources
from dlx.own.target import one_line
from dlx.preflight import Preflight, part_of
from dlx.run.documents import shorten
from dlx.validation import as_typed

CORES = torch.get_num_threads()  # read once, because each run of a study sets the number anew
# From so many multiply-adds in a step's forward pass, more than one thread pays. With two threads that sleep
# at barriers, 784-128-64-10 in batches of 32 (3.5 million) took 4 times as long as with one, LeNet (13)
# 1.6 times, cnn (240) 0.8 times and a hidden layer of 3136 in batches of 128 (320) 0.7 times.
THREADED_WORK = 50e6
FITTED = 5000  # training samples that a model may be fitted to
BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


def build(settings: Settings, threads: int | None = None, like: Run | None = None) -> Run:
    """Build the run that `settings` describe: data on the device, fresh weights, optimizers, schedule.

    Sets torch's number of threads: that of the settings, else `threads`, else one that suits the model's
    size. `like`: a run that was built before; steps of an equal module are not tried again. Raises
    RequestError if the settings do not fit together, the data or the machine.
    """
    settings = with_seeds_of_fold(settings)
    device, dtype = select_device(settings.device), getattr(torch, settings.dtype)
    execution = Execution(settings.precision, settings.deterministic, settings.compile, settings.cuda_graphs)
    prepare(execution, device)
    torch.set_num_threads(settings.threads or threads or CORES)
    code = [
        source.fingerprint
        for key, target in settings.targets.items()
        for source in own_sources(target).values()
        if key == "data.target"
    ]
    files = json.dumps([data_fingerprints(settings.data), code])
    data = _load_cached(json.dumps(settings.data.model_dump()), files, dtype, device)
    if settings.label_noise and data.classes and not data.train.labels.is_floating_point():
        noisy = with_label_noise(data.train, settings.label_noise, len(data.classes), settings.seed)
        data = replace(data, train=noisy)
    loss = losses.build(settings.loss.name, _loss_arguments(settings, data))
    task = find_task(settings.loss.name, loss, data)
    _check_fit(settings, data, task)
    outputs = _outputs(data, loss)
    metrics = _build_metrics(settings, data, task, outputs)
    notices = [*data.notes]
    model = _build_model(settings, data, outputs, device, dtype, notices)
    _check_last_batch(settings, data, model)
    preflight = Preflight(settings, data, loss, outputs, execution)
    layers = preflight.try_model(model, notices)
    may_fail = bool(settings.targets) or settings.deterministic
    if may_fail and not (like and preflight.takes_equal_steps(model, like)):
        preflight.try_steps(model)
    work = multiply_adds(layers) * settings.batch_size
    torch.set_num_threads(settings.threads or threads or (CORES if work >= THREADED_WORK else 1))
    return Run(
        data=data,
        model=model,
        optimizers=build_optimizers(settings.optimizer.name, settings.optimizer.arguments, model),
        schedule=build_schedule(
            settings.schedule.name,
            settings.schedule.arguments,
            warmup_epochs=settings.schedule.warmup,
            epochs=settings.epochs,
            steps_per_epoch=steps_per_epoch(
                len(data.train), settings.batch_size, drop_last=settings.drop_last
            ),
        ),
        loss=loss,
        augment=build_augment(settings.augment, data.input_shape),
        seeds=Seeds(settings.seeds.order, settings.seeds.augment, settings.seeds.dropout),
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        shuffle=settings.shuffle,
        drop_last=settings.drop_last,
        sample_weights=None
        if settings.sampler is None
        else _balanced(data, "sampler")[data.train.labels.cpu()],
        gradient_clip=settings.gradient_clip,
        device=device,
        layers=layers,
        task=task,
        metrics=metrics,
        monitor=find_monitor(settings.monitor, settings.loss.name, task, metrics),
        probes=_build_probes(settings, data, model, classifies=task == "classification"),
        execution=execution,
        hooks=[load_hook(target) for target in settings.hooks],
        notices=notices,
    )


def with_seeds_of_fold(settings: Settings) -> Settings:
    """Return settings whose seeds are a fold's own; without folds, the same settings.

    With one seed for all folds, two settings could differ by that seed's luck in every fold, which no test
    over folds would notice.
    """
    if settings.data.fold is None:
        return settings
    purpose = f"repeat {settings.data.repeat}, fold"
    own = {key: rng.derive_seed(seed, purpose, settings.data.fold) for key, seed in settings.seeds}
    return settings.model_copy(update={"seeds": SeedSettings(**own)})


@functools.lru_cache(maxsize=2)  # runs share one copy; a study may alternate between two data sets
def _load_cached(settings_json: str, files: str, dtype: torch.dtype, device: torch.device) -> Dataset:
    del files  # the fingerprints of the user's own data and code, which tell versions apart
    settings = DataSettings.model_validate_json(settings_json)
    data = load(settings, dtype=dtype, device=device)
    check_unchanged(settings)
    return data


def _outputs(data: Dataset, loss: Loss) -> int:
    """Return how many outputs the model needs: those of the classes, or one for each number or label."""
    floats = data.train.labels.is_floating_point()
    return data.label_columns if floats else loss.outputs(len(data.classes))


def _build_metrics(settings: Settings, data: Dataset, task: Task, outputs: int) -> list[Metric]:
    """Return the run's metrics; those of the user's own are tried on random outputs."""
    if not settings.metrics:
        return []
    labels = data.val.labels
    draws = torch.Generator().manual_seed(0)
    outputs_NK = torch.randn(len(labels), outputs, generator=draws).to(labels.device)
    metrics = build_metrics(settings.metrics, task, outputs)
    for metric in metrics:
        try_metric(metric, outputs_NK, labels)
    return metrics


def _check_fit(settings: Settings, data: Dataset, task: Task) -> None:
    for key in ("label_noise", "sampler"):
        if (value := getattr(settings, key)) and task != "classification":
            raise RequestError(f"{key}={value}: loss={settings.loss.name} has no classes")
    if settings.batch_size > len(data.train):
        raise RequestError(
            f"batch_size={settings.batch_size}: larger than the training split of {len(data.train)} samples "
            "(data.train_size)"
        )


def _loss_arguments(settings: Settings, data: Dataset) -> dict[str, Any]:
    """Return the arguments of the loss, with the weight of each class where these are `balanced`."""
    arguments, key = settings.loss.arguments, "class_weights"
    if data.train.labels.is_floating_point():
        return arguments
    given = arguments.get(key)
    if given == "balanced":
        return arguments | {key: _balanced(data, "loss.class_weights").tolist()}
    if isinstance(given, list) and len(given) != len(data.classes):
        raise RequestError(
            f"loss.class_weights={as_typed(given)}: the data set has {len(data.classes)} classes, "
            f"{shorten(', '.join(data.classes))}; give a number for each, or balanced"
        )
    return arguments


def _balanced(data: Dataset, key: str) -> Tensor:
    """Return a weight for each class, [K], inverse to its training samples, that is 1 on their average."""
    counts_K = torch.bincount(data.train.labels.cpu(), minlength=len(data.classes))
    if missing := [name for name, count in zip(data.classes, counts_K, strict=True) if count == 0]:
        raise RequestError(f"{key}=balanced: no training sample has the class '{missing[0]}'")
    return len(data.train) / (len(data.classes) * counts_K.double())


def _build_model(
    settings: Settings,
    data: Dataset,
    outputs: int,
    device: torch.device,
    dtype: torch.dtype,
    notices: list[str],
) -> nn.Module:
    name, arguments, where = settings.model.name, settings.model.arguments, part_of(settings, "model")
    own = {"tell": notices.append} if settings.model.is_own else {}
    try:
        if not settings.model.is_own:  # their code runs once, and may do anything
            check_model_memory(
                *(name, arguments, data.input_shape, outputs),
                batch_size=settings.batch_size,
                evaluated=len(data.val),
                dtype=dtype,
                device=device,
            )
        with rng.global_state(settings.seeds.init, "init"):
            model = models.build(name, arguments, input_shape=data.input_shape, outputs=outputs, **own)
        initialise(model, settings.model.init, rng.generator(settings.seeds.init, "weights"))
        model = model.to(device=device, dtype=dtype)
        if isinstance(model, FittedToInputs):
            model.fit(data.train.slice(0, FITTED)[0])
    except (RuntimeError, MemoryError, OverflowError) as error:  # usually because it is too large
        raise RequestError(f"{where}: it cannot be built: {one_line(error)}") from error
    if not any(p.requires_grad for p in model.parameters()):
        raise RequestError(f"{where}: it has no parameters to train")
    return model


def _check_last_batch(settings: Settings, data: Dataset, model: nn.Module) -> None:
    samples, batch = len(data.train), settings.batch_size
    smallest = batch if settings.drop_last or samples % batch == 0 else samples % batch
    if smallest == 1 and any(isinstance(module, BATCH_NORMS) for module in model.modules()):
        what = f"the {samples} training samples leave a last batch of one" if batch > 1 else "a batch of one"
        other = " or drop_last=true" if batch > 1 else ""
        raise RequestError(
            f"batch_size={batch}: {what}, which BatchNorm cannot normalise; use another batch_size{other}"
        )


def _build_probes(settings: Settings, data: Dataset, model: nn.Module, *, classifies: bool) -> Probes:
    probes = settings.probes
    if probes.classes and not classifies:
        raise RequestError(f"probes.classes=True: loss.name={settings.loss.name} has no classes")
    if probes.images and len(data.input_shape) != 3:
        raise RequestError(
            f"probes.images={probes.images}: needs images (channels, height, width), but the data set has "
            f"{data.input_shape[0]} features"
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
    """Return `count` training samples or all, None for 0. A larger sample includes the smaller ones."""
    if count == 0 or count >= len(train):
        return train if count else None
    draws = rng.generator(seed, "train_samples")
    index = torch.randperm(len(train), generator=draws)[:count].to(train.labels.device)
    return Split(train.inputs[index], train.labels[index], train.standardise)
