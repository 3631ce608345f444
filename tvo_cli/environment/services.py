"""What lies around a run: configurations, caches, the hub, W&B, optional extras."""

from __future__ import annotations

import re
from importlib import metadata
from typing import Any

from tvo_cli import config

PACKAGE = "tvo-cli"
REQUIREMENT = re.compile(r"""^([\w.-]+).*\bextra\s*==\s*["']([\w.-]+)["']""")


def facts() -> dict[str, Any]:
    """The state of each; of keys and tokens only whether there are any."""
    return {"configs": str(config.conf_dir()), "hub": hub(), "wandb": wandb(), "extras": extras()}


def hub() -> dict[str, Any]:
    """Offline or not, where downloads are kept, whether there is a token."""
    from huggingface_hub import constants, get_token

    return {
        "offline": bool(constants.HF_HUB_OFFLINE),
        "cache": str(constants.HF_HUB_CACHE),
        "token": "present" if get_token() else "none",
    }


def wandb() -> dict[str, Any]:
    """The mode that `logger=wandb` would take, and whether there is a key."""
    from tvo_cli.tracking.wandb_mirror import automatic_mode, has_key

    try:
        return {"mode": automatic_mode(), "key": "present" if has_key() else "none"}
    except RuntimeError:  # no home folder, so no netrc
        return {"mode": "offline", "key": "none"}


def extras() -> dict[str, dict[str, str]]:
    """Of each optional extra: its packages' versions, `missing` for one that is not installed."""
    found: dict[str, dict[str, str]] = {}
    for requirement in _requirements():
        named = REQUIREMENT.match(requirement)
        if named and named[2] != "dev":
            found.setdefault(named[2], {})[named[1]] = _version(named[1])
    return found


def install_line(extra: str) -> str:
    """How an extra is installed: from the checkout where there is one."""
    in_checkout = (config.conf_dir().parent / "pyproject.toml").is_file()
    return f"pip install -e '.[{extra}]'" if in_checkout else f"pip install '{PACKAGE}[{extra}]'"


def _requirements() -> list[str]:
    try:
        return metadata.requires(PACKAGE) or []
    except metadata.PackageNotFoundError:
        return []


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "missing"
