"""The rules that training runs watch by, conf/stability/default.yaml, built without torch and without Hydra."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from importlib import import_module
from typing import Any

from tvo_cli import config
from tvo_cli.report.run_folder_reading import parse_run_config
from tvo_cli.stability.rule_interface import CollapseRule


def live_rule(name: str, kind: type[CollapseRule] | None = None, **changed: Any) -> CollapseRule:
    """Build a rule of conf/stability/default.yaml by its name, of a subclass or with fields that this use changes."""
    settings = {**_settings_of_live_rules()[name], **changed}
    module, _, name = str(settings.pop("_target_")).rpartition(".")
    kind = kind or getattr(import_module(module), name)
    built: CollapseRule = kind(**settings)
    return built


def live_rule_setting(name: str, field: str) -> Any:
    """Return one setting of a rule of conf/stability/default.yaml, for another rule that goes by it."""
    return _settings_of_live_rules()[name][field]


def live_rules(*names: str) -> list[CollapseRule]:
    """Build those of the rules that conf/stability/default.yaml has."""
    return [live_rule(name) for name in names if name in _settings_of_live_rules()]


@lru_cache(maxsize=1)
def _settings_of_live_rules() -> Mapping[str, Mapping[str, Any]]:
    path = config.choice_path("stability", "default")
    found: Mapping[str, Mapping[str, Any]] = parse_run_config(path.read_text(encoding="utf-8"))["rules"]
    return found
