"""The W&B workspace of panels.yaml: `python -m tvo_cli.tracking.wandb_workspace ENTITY [PROJECT]` saves it there."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from tvo_cli.tracking.panels import PanelSection, read_panels

NAME = "tvo: the story of a run"


def wandb_workspace(entity: str, project: str) -> Any:
    """Return the workspace, a view of wandb-workspaces; nothing is sent before its `save`."""
    import wandb_workspaces.workspaces as workspaces

    sections = [
        workspaces.Section(name=one.title, is_open=True, panels=_panels_of_section(one)) for one in read_panels()
    ]
    return workspaces.Workspace(entity=entity, project=project, name=NAME, sections=sections)


def _panels_of_section(section: PanelSection) -> list[Any]:
    import wandb_workspaces.reports.v2 as reports

    lines = [
        reports.LinePlot(title=panel.title, x="step", y=list(panel.metrics), log_y=panel.log or None)
        for panel in section.panels
    ]
    tables = [reports.WeavePanelSummaryTable(table_name=name) for name in section.tables]
    return [*lines, *tables, *(reports.MediaBrowser(media_keys=[name]) for name in section.images)]


def main(words: Sequence[str]) -> int:
    """Save the workspace; return the exit code."""
    if not 1 <= len(words) <= 2:
        print("usage: python -m tvo_cli.tracking.wandb_workspace ENTITY [PROJECT]", file=sys.stderr)
        return 2
    try:
        made = wandb_workspace(words[0], words[1] if len(words) == 2 else "tvo")
    except ImportError:
        print("tvo: the package wandb-workspaces is not installed: pip install 'tvo-cli[workspace]'", file=sys.stderr)
        return 2
    print(made.save().url)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
