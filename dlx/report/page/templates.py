"""Jinja's environment for pages in the report's style, the time of writing, and the theme's own files."""

from datetime import datetime
from importlib.resources import files
from typing import TYPE_CHECKING

from dlx.report.text import visible

if TYPE_CHECKING:
    from jinja2 import Environment


def environment(*packages: str) -> "Environment":
    """Return Jinja's environment for templates that lie in these packages: everything is escaped."""
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=ChoiceLoader([PackageLoader(package, ".") for package in packages]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["visible"] = visible
    return made


def now() -> str:
    """Return the time of writing, as pages show it."""
    return datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z")


def own_file(name: str) -> str:
    """Return the text of a file of this folder."""
    return files("dlx.report.page").joinpath(name).read_text(encoding="utf-8")
