"""The settings of one run, from the words of `dlx train`, for verbs that train nothing."""

from collections.abc import Sequence

import hydra
from hydra.core.override_parser.overrides_parser import OverridesParser

from dlx.complaint import complaint, is_complaint
from dlx.compose import PRIMARY, config_folder, quote_formulas, register
from dlx.config import Settings, check
from dlx.errors import RequestError


def compose_one_run(overrides: Sequence[str]) -> Settings:
    """Return the settings that these words give. Raises RequestError for a wrong word, and for a grid."""
    register()
    words = quote_formulas(overrides)
    try:
        _refuse_grid(words)
        with hydra.initialize_config_dir(str(config_folder()), version_base="1.3"):
            return check(hydra.compose(PRIMARY, words))
    except Exception as error:
        if not is_complaint(error):
            raise
        raise RequestError(complaint(error, words)) from error


def _refuse_grid(words: Sequence[str]) -> None:
    for override in OverridesParser.create().parse_overrides(list(words)):
        if override.is_sweep_override() or override.key_or_group == "sweep":
            raise RequestError(f"'{override.input_line}' asks for several runs; give the settings of one")
