"""Argparse as every verb here uses it: a complaint is a RequestError, which is one line and exit code 2."""

import argparse
from typing import NoReturn

from dlx.errors import RequestError


class Parser(argparse.ArgumentParser):
    """Raw help text, whole words only, complaints raised."""

    def __init__(self, prog: str, description: str, epilog: str, usage: str | None = None) -> None:
        super().__init__(
            prog=prog,
            usage=usage,
            description=description,
            epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )

    def error(self, message: str) -> NoReturn:
        """Raise RequestError with argparse's own words."""
        raise RequestError(message)
