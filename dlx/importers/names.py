"""What the names of columns and metrics mean: seeds, positions, splits, and whether higher is better."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

SEEDS = ("seed", "random_seed", "random_state", "rng_seed", "repeat", "replicate", "rep", "fold")
EPOCHS = ("epoch", "step", "global_step", "trainer/global_step", "_step", "iteration", "iter", "round")
RUNS = (
    "run",
    "run_id",
    "run_name",
    "trial",
    "trial_id",
    "experiment_id",
    "id",
    "number",
    "name",
    "experiment",
)
STATUS = ("status", "state")
SECONDS = ("seconds", "time_seconds", "runtime", "_runtime", "duration", "train_time", "training_time")
RATES = ("lr", "learning_rate", "learningrate")
# Neither a setting nor a score: when, where and by whom.
IGNORED = (
    *("time", "date", "datetime", "timestamp", "_timestamp", "wall_time", "created", "created_at", "start"),
    *("start_time", "end_time", "end", "host", "hostname", "user", "username", "commit", "git_commit"),
    *("path", "log_dir", "logdir", "output_dir", "checkpoint", "url", "notes", "comment", "tags", "_wandb"),
    *("unnamed: 0", "index", "best_epoch", "last_epoch", "epochs_run", "error", "folder"),
)

SPLITS = {
    "train": ("train", "training", "tr"),
    "val": ("val", "valid", "validation", "dev", "eval", "evaluation"),
    "test": ("test", "testing", "heldout"),
}
SPLIT_OF = {word: split for split, words in SPLITS.items() for word in words}
ACCURACIES = ("accuracy", "acc", "categorical_accuracy", "sparse_categorical_accuracy", "binary_accuracy")
HIGHER = (
    *("accuracy", "acc", "f1", "auc", "auroc", "roc_auc", "auprc", "ap", "map", "precision", "recall", "r2"),
    *("sensitivity", "specificity", "iou", "miou", "dice", "jaccard", "bleu", "rouge", "meteor", "score"),
    *("reward", "return", "top1", "top5", "kappa", "mcc", "correlation", "pearson", "spearman", "psnr"),
    *("ssim", "success", "likelihood", "ndcg", "mrr", "hits", "em"),
)
LOWER = (
    *("loss", "error", "err", "mse", "rmse", "mae", "mape", "rmsle", "perplexity", "ppl", "nll", "wer"),
    *("cer", "fid", "ece", "brier", "bpc", "bpb", "entropy", "regret", "kl", "distance", "huber", "deviance"),
)
# Settings by their names, so that a random search over them is not mistaken for a measurement.
SETTINGS = (
    *(*RATES, "weight_decay", "wd", "dropout", "momentum", "beta1", "beta2", "eps", "epsilon", "gamma"),
    *("batch_size", "width", "depth", "hidden", "units", "layers", "temperature", "alpha", "beta", "decay"),
    *("warmup", "label_smoothing", "l1", "l2", "c"),
)


@dataclass(frozen=True)
class MetricName:
    """A metric's name, taken apart: its split ("" if it names none) and what was measured."""

    split: str
    quantity: str

    @property
    def column(self) -> str:
        """Return the name by which the report knows it: "val_accuracy", "test_f1", "accuracy"."""
        return f"{self.split}_{self.quantity}" if self.split else self.quantity

    @property
    def higher(self) -> bool | None:
        """Return whether higher is better, None if the name does not say."""
        words = self.quantity.split("_")
        if any(word in LOWER for word in words):
            return False
        return True if any(word.rstrip("0123456789") in HIGHER or word in HIGHER for word in words) else None


def read_metric_name(name: str) -> MetricName:
    """Take a metric's name apart: "val/acc", "valid_accuracy" and "Validation-Accuracy" are all one."""
    words = [word for word in re.split(r"[^a-z0-9]+", _spaced(name).lower()) if word]
    # Keras writes epoch_loss, Lightning train_loss_epoch.
    words = [word for word in words if word not in ("epoch", "step")] or words
    split = next((SPLIT_OF[word] for word in words if word in SPLIT_OF), "")
    rest = [word for word in words if SPLIT_OF.get(word) != split or not split] or ["score"]
    quantity = "_".join(rest)
    return MetricName(split, "accuracy" if quantity in ACCURACIES else quantity)


def _spaced(name: str) -> str:
    """Separate the words of camelCase."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name)


def is_metric(name: str) -> bool:
    """Return whether a name is that of a known score or loss."""
    return read_metric_name(name).higher is not None


def is_setting(name: str) -> bool:
    """Return whether a name is that of a setting: "lr", "optimizer.lr", "params_lr"."""
    return (
        simple(name).startswith(("param", "hparam", "config."))
        or simple(name).endswith(tuple(f"{mark}{each}" for each in SETTINGS for mark in "._"))
        or simple(name) in SETTINGS
    )


def first_named(wanted: Iterable[str], columns: Iterable[str]) -> str:
    """Return the column that has the first of the wanted names, whatever its case; "" if none has."""
    by_name = {simple(column): column for column in columns}
    return next((by_name[name] for name in wanted if name in by_name), "")


def simple(name: str) -> str:
    """Return a name in lower case with underscores."""
    return re.sub(r"[\s-]+", "_", _spaced(name.strip()).lower())
