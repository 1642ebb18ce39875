"""Where the packaged configuration is; imports nothing heavy, for commands that read its files themselves."""

from pathlib import Path

PRIMARY = "train"  # conf/train.yaml; not "config", which the user's own project may well have


def config_folder() -> Path:
    """Return the folder of the packaged configuration: the checkout's if there is one, else the wheel's.

    The checkout's first, because an editable install can leave a stale copy in the package.
    """
    package = Path(__file__).resolve().parent.parent
    checkout = package.parent
    if (checkout / "pyproject.toml").is_file() and (checkout / "conf" / f"{PRIMARY}.yaml").is_file():
        return checkout / "conf"
    return package / "conf"
