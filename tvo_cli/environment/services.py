"""Facts of the services around a run: configurations, caches, the hub, W&B, optional extras."""

from __future__ import annotations

import re
from importlib import metadata
from typing import Any

from tvo_cli import config

PACKAGE = "tvo-cli"
REQUIREMENT = re.compile(r"""^([\w.-]+).*\bextra\s*==\s*["']([\w.-]+)["']""")


def service_facts() -> dict[str, Any]:
    """Return the state of each service; of keys and tokens only whether there are any."""
    configs = ", ".join(f"{one.path} ({one.origin})" for one in config.config_folders())
    return {"configs": configs, "hub": hub_facts(), "wandb": wandb_facts(), "extras": extras_facts()}


def hub_facts() -> dict[str, Any]:
    """Return whether the hub is offline, where downloads are kept, whether there is a token."""
    from huggingface_hub import constants, get_token

    return {
        "offline": bool(constants.HF_HUB_OFFLINE),
        "cache": str(constants.HF_HUB_CACHE),
        "token": "present" if get_token() else "none",
    }


def wandb_facts() -> dict[str, Any]:
    """Return the mode that `logger=wandb` would take, and whether there is a key."""
    from tvo_cli.tracking.mirrors.wandb_mirror import automatic_wandb_mirror_mode, has_wandb_mirror_key

    try:
        return {"mode": automatic_wandb_mirror_mode(), "key": "present" if has_wandb_mirror_key() else "none"}
    except RuntimeError:  # no home folder, so no netrc
        return {"mode": "offline", "key": "none"}


def extras_facts() -> dict[str, dict[str, str]]:
    """Return each optional extra with its packages' versions, `missing` for one that is not installed."""
    found: dict[str, dict[str, str]] = {}
    for requirement in _requirements_of_extras():
        named = REQUIREMENT.match(requirement)
        if named and named[2] != "dev":
            found.setdefault(named[2], {})[named[1]] = _extra_version_or_missing(named[1])
    return found


def install_line(extra: str) -> str:
    """Return how an extra is installed: from the checkout where there is one."""
    in_checkout = (config.conf_dir().parent / "pyproject.toml").is_file()
    return f"pip install -e '.[{extra}]'" if in_checkout else f"pip install '{PACKAGE}[{extra}]'"


def _requirements_of_extras() -> list[str]:
    """The requirements of this package, those of its extras among them, for the facts of `tvo env`."""
    try:
        return metadata.requires(PACKAGE) or []
    except metadata.PackageNotFoundError:
        return []


def _extra_version_or_missing(package: str) -> str:
    """The version of an optional extra's package, or `missing`, for `tvo env`."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "missing"
