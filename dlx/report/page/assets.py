"""The parts of pages: Jinja's environment, the script and its content policy, the time of writing."""

import base64
import hashlib
from contextlib import suppress
from datetime import datetime
from importlib.metadata import version
from importlib.resources import files
from typing import TYPE_CHECKING

from dlx.report.text import visible, write_count
from dlx.run.paths import cache_root, write_atomically

if TYPE_CHECKING:
    from jinja2 import Environment

# In this order: each file uses only those above it, and main.js starts them.
SCRIPTS = ("data", "state", "tables", "folds", "filter", "curves", "charts", "dialog", "main")


def environment(*packages: str) -> "Environment":
    """Return Jinja's environment for the templates in these packages; everything is escaped."""
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=ChoiceLoader([PackageLoader(package, ".") for package in packages]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["visible"] = visible
    made.globals["counted"] = write_count
    return made


def now() -> str:
    """Return the time of writing, as pages show it."""
    return datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z")


def vega() -> str:
    """Return vega-embed with Vega and Vega-Lite inside: 0.9 MB that load nothing.

    Making them takes 2.5 s of CPU time, a third of a small report, so they are kept in the cache.
    """
    kept = cache_root() / "vega" / f"{version('vl-convert-python')}.js"
    with suppress(OSError, UnicodeDecodeError):
        text, _, digest = kept.read_text(encoding="utf-8").rpartition("\n// ")
        if digest == _sha256(text):  # else the disk was full
            return text
    import vl_convert

    text = str(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;"))
    with suppress(OSError):  # a cache that cannot be written
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(kept, f"{text}\n// {_sha256(text)}".encode())
    return text


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def script(libraries: str) -> str:
    """Return the page's whole script; it shares only window.vegaEmbed with the `libraries`."""
    folder = files("dlx.report.page")
    own = "\n".join(folder.joinpath(f"{name}.js").read_text(encoding="utf-8") for name in SCRIPTS)
    return f'(() => {{{libraries}\n}})();\n(() => {{\n"use strict";\n{own}}})();\n'


def policy(text: str = "") -> str:
    """Return a page's content policy: it loads nothing, and only the script `text` may run."""
    allowed = (
        "default-src 'none'; base-uri 'none'; form-action 'none'; style-src 'unsafe-inline'; img-src data:"
    )
    if not text:
        return allowed
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"{allowed}; script-src 'sha256-{digest}'"
