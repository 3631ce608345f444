"""The panels of a run, for W&B and for `tvo watch`: few, in an order, of metrics that there are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tvo_cli.tracking import wandb_workspace
from tvo_cli.tracking.metric_names import WITH_EXTREMES, is_known_metric
from tvo_cli.tracking.mirrors import completion_table, wandb_mirror
from tvo_cli.tracking.panels import read_panels


def test_every_metric_of_a_panel_is_one_of_ours() -> None:
    names = [name for section in read_panels() for panel in section.panels for name in panel.metrics]
    assert [name for name in names if not is_known_metric(name)] == [] and len(set(names)) == len(names)


def test_they_are_few_and_tell_the_story_in_its_order() -> None:
    sections = read_panels()
    assert [one.title.split()[0] for one in sections] == ["Does", "Is", "Why?", "What", "What"]
    assert sections[0].panels[0].metrics == ("reward/mean",)
    assert sum(len(one.panels) for one in sections) <= 16


def test_their_tables_and_images_are_those_that_the_mirror_sends() -> None:
    source = Path(wandb_mirror.__file__).read_text(encoding="utf-8")
    assert [name for one in read_panels() for name in one.tables] == [completion_table.NAME]
    assert [re.escape(name) for one in read_panels() for name in one.images if f'"{name}": wandb.Image' in source] == [
        "figure"
    ]


def test_metrics_with_extremes_are_ours() -> None:
    assert [name for name in WITH_EXTREMES if not is_known_metric(name)] == []


def test_the_workspace_says_how_it_is_called(capsys: pytest.CaptureFixture[str]) -> None:
    assert wandb_workspace.main([]) == 2 and "ENTITY [PROJECT]" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of the package: it declares by the names of pydantic 1
def test_the_workspace_holds_the_panels() -> None:
    pytest.importorskip("wandb_workspaces")
    made = wandb_workspace.wandb_workspace("somebody", "tvo")
    assert [section.name for section in made.sections] == [one.title for one in read_panels()]
    spec = made._to_model().model_dump_json(by_alias=True)
    names = [name for section in read_panels() for panel in section.panels for name in panel.metrics]
    assert all(f'"{name}"' in spec for name in [*names, "completions", "figure"])
    assert spec.count('"yLogScale":true') == sum(panel.log for section in read_panels() for panel in section.panels)
