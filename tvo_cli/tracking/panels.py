"""The panels of a run in the order that tells its story, from panels.yaml: for `tvo watch` and for W&B."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("panels.yaml")


@dataclass(frozen=True, slots=True)
class Panel:
    """One chart."""

    title: str
    metrics: tuple[str, ...]
    log: bool


@dataclass(frozen=True, slots=True)
class PanelSection:
    """Some charts under a heading, with the tables and images that belong to them."""

    title: str
    panels: tuple[Panel, ...]
    tables: tuple[str, ...]
    images: tuple[str, ...]


def read_panels() -> list[PanelSection]:
    """Read panels.yaml."""
    import yaml

    return [
        PanelSection(
            title=str(one["title"]),
            panels=tuple(map(_panel, one["panels"])),
            tables=tuple(one.get("tables", ())),
            images=tuple(one.get("images", ())),
        )
        for one in yaml.safe_load(FILE.read_text(encoding="utf-8"))
    ]


def _panel(node: Any) -> Panel:
    """A panel of panels.yaml, read."""
    return Panel(str(node["title"]), tuple(node["metrics"]), bool(node.get("log", False)))
