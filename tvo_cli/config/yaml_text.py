"""A resolved config as YAML that OmegaConf reads back unchanged, written by the library in C where there is one."""

from __future__ import annotations

from typing import Any

import yaml


class _ConfigText:
    """YAML 1.1, and quotes around what OmegaConf would read as a number though YAML 1.1 would not: `1e-3`."""

    def ignore_aliases(self, data: object) -> bool:
        """A list that stands twice is written twice."""
        return True


class SlowConfigDumper(_ConfigText, yaml.SafeDumper):  # type: ignore[misc]
    """In Python: it escapes what no UTF-8 file holds, the bytes of a path that the locale cannot name."""


class ConfigDumper(_ConfigText, getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """In C, where there is the library."""


def _represent_text(dumper: Any, text: str) -> Any:
    """Write a text of a config, in quotes where OmegaConf would read it as a number."""
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="'" if _reads_as_number(text) else None)


def _reads_as_number(text: str) -> bool:
    """Return whether a text of a config would be read back from YAML as a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True


for one in (SlowConfigDumper, ConfigDumper):
    one.add_representer(str, _represent_text)


def to_yaml(tree: Any) -> str:
    """Plain dicts, lists and scalars as YAML, in their order."""
    try:
        return _dumped(tree, ConfigDumper)
    except UnicodeEncodeError:
        return _dumped(tree, SlowConfigDumper)


def _dumped(tree: Any, dumper: Any) -> str:
    """Return a config as YAML text by one of the two dumpers."""
    return str(yaml.dump(tree, Dumper=dumper, default_flow_style=False, sort_keys=False, allow_unicode=True))
