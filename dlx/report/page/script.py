"""The page's script: Vega's libraries and the files beside this one, one text that a hash allows to run."""

import base64
import hashlib

from dlx.report.page.templates import own_file

# In this order: each uses only what is above it, and main.js runs it all.
PARTS = ("data", "state", "tables", "filter", "curves", "tooltip", "charts", "dialog", "theme", "main")


def libraries() -> str:
    """Return vega-embed with Vega and Vega-Lite inside (0.9 MB, no request to anywhere; takes a second)."""
    import vl_convert

    return str(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;"))


def script(bundle: str) -> str:
    """Return the whole script; neither part can see the other's names but for window.vegaEmbed."""
    own = "\n".join(own_file(f"{part}.js") for part in PARTS)
    return f'(() => {{{bundle}\n}})();\n(() => {{\n"use strict";\n{own}}})();\n'


def policy(text: str = "") -> str:
    """Return a page's content policy: nothing is loaded, and of scripts this text alone may run, or none."""
    allowed = (
        "default-src 'none'; base-uri 'none'; form-action 'none'; style-src 'unsafe-inline'; img-src data:"
    )
    if not text:
        return allowed
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"{allowed}; script-src 'sha256-{digest}'"
