"""An evaluation's figures and completions for W&B; the files of the run folder stay the truth."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tvo_cli import config as configuration
from tvo_cli import redaction
from tvo_cli.tracking.mirror import RunInfo
from tvo_cli.tracking.tracker import mirrors

COLUMNS = ("suite", "id", "decoding", "sample", "prompt", "completion", "gold", "extracted", "correct", "reason")
MOST_ROWS = 1000  # of the table: a page is no place for 160,000 completions


def send(config: Any, figures: Mapping[str, float], responses: Path) -> None:
    """Open the mirrors that `logger` asks for, tell them the figures, and close them."""
    for mirror in mirrors(config.logger):
        mirror.start(_info(config))
        mirror.log(0, figures)
        mirror.table("completions", COLUMNS, _rows(responses))
        mirror.finish(dict(figures), exit_code=0)


def _rows(responses: Path) -> list[list[Any]]:
    with responses.open(encoding="utf-8") as lines:
        found = [json.loads(line) for line, _ in zip(lines, range(MOST_ROWS), strict=False)]
    return [[row[column] for column in COLUMNS] for row in found]


def _info(config: Any) -> RunInfo:
    tree = redaction.masked(configuration.plain(config))
    return RunInfo(
        name=Path(config.output_dir).name,
        group="eval",
        model=str(tree["model"]["name"]),
        dataset="+".join(tree["evaluation"]["suites"]),
        steps=0,
        folder=Path(config.output_dir),
        config=tree,
    )
