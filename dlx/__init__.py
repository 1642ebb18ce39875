"""dlx: train a grid of networks, compare them, and say how far to trust the comparison."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dlx.api import evaluate, load, load_model, train

__all__ = ["__version__", "evaluate", "load", "load_model", "train"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Import what the package offers when it is first used, because every command imports the package."""
    if name not in __all__:
        raise AttributeError(f"module 'dlx' has no attribute '{name}' (it has: {', '.join(__all__)})")
    from dlx import api

    return getattr(api, name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
