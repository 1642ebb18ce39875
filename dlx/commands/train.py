"""`dlx train [KEY=VALUE ...]`: train one run, or every run of a grid."""

import os
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from dlx.commands.train_flags import TrainOptions, help_text, parse_train
from dlx.errors import RequestError
from dlx.working import working

if TYPE_CHECKING:
    from dlx.compose.composer import Composer
    from dlx.compose.request import Request


def main(arguments: Sequence[str]) -> int:
    """Run `dlx train` with these arguments and return its exit code.

    0 done; 1 a run failed or diverged. Raises RequestError for a wrong request, OSError where nothing can be
    written, and Interrupted after a signal.
    """
    options, words = parse_train(arguments)
    if options.help or options.version or options.cfg or options.info:
        return _show(options, words)
    with working("reading the request"):
        request = _request(options, words)
        from dlx.study.training import failures, train_request

    if options.dry_run:
        from dlx.study.dry_run import dry_run

        dry_run(request)
        return 0
    outcomes = train_request(request)
    if said := failures(outcomes):
        print(f"dlx train: {said}", file=sys.stderr)
    return 1 if said else 0


def _request(options: TrainOptions, words: Sequence[str]) -> "Request":
    from dlx.compose.folder import PRIMARY
    from dlx.compose.request import compose
    from dlx.study.early_check import EarlyCheck

    # Read as torch loads. Threads that spin at each barrier, the default, made a run up to 60 times slower
    # when another process wanted the cores too; threads that sleep did not.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    return compose(words, options.config_name or PRIMARY, options.config_dir, EarlyCheck())


def _show(options: TrainOptions, words: Sequence[str]) -> int:
    """Print what was asked for instead of training."""
    from dlx import __version__
    from dlx.compose.composer import initialised
    from dlx.compose.folder import PRIMARY

    if options.version:
        print(f"dlx {__version__}")
        return 0
    with initialised(words, options.config_name or PRIMARY, options.config_dir) as composer:
        if options.help:
            print(help_text(composer.groups()), end="")
        elif options.info:
            print("\n\n".join(_info(composer, options.info)))
        else:
            print(_configuration(composer, options), end="")
    return 0


def _configuration(composer: "Composer", options: TrainOptions) -> str:
    """Return the YAML of what the request's words compose; of a grid, without the swept keys' values."""
    from omegaconf import OmegaConf

    config = composer.compose_with_hydra(composer.unswept)
    shown: Any = config
    if options.cfg == "job":
        shown = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
        OmegaConf.set_readonly(shown, None)
    elif options.cfg == "hydra":
        shown = OmegaConf.masked_copy(config, "hydra")
    if options.package:
        if OmegaConf.select(config, options.package) is None:
            raise RequestError(f"--package {options.package}: the configuration has no such part")
        shown = OmegaConf.select(config, options.package)
    if options.resolve:
        OmegaConf.resolve(shown)
    header = f"# @package {options.package}\n" if options.package else ""
    return header + (OmegaConf.to_yaml(shown) if OmegaConf.is_config(shown) else f"{shown}\n")


def _info(composer: "Composer", topic: str) -> Iterator[str]:
    """Yield what was asked about how the configuration is composed."""
    from omegaconf import OmegaConf

    if topic in ("all", "searchpath"):
        rows = [f"  {provider:<10} {path}" for provider, path in composer.searched()]
        yield "\n".join(["Files are looked for in, first to last:", *rows])
    if topic in ("all", "defaults", "defaults-tree"):
        rows = [f"  {path:<28} {package}" for path, package in composer.files(composer.unswept)]
        yield "\n".join(["Files that are composed, in order, and the part that each fills:", *rows])
    if topic in ("all", "plugins"):
        yield "\n".join(
            ["Plugins of Hydra that are installed:", *(f"  {name}" for name in composer.plugins())]
        )
    if topic in ("all", "config"):
        yield "The configuration:\n" + OmegaConf.to_yaml(composer.compose(composer.unswept).config).rstrip()
