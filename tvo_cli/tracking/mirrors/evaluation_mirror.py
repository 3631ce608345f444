"""Mirroring of an evaluation: scores and completions for the mirrors that `logger` names."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tvo_cli import config as configuration
from tvo_cli import redaction
from tvo_cli.tracking.mirrors.completion_table import completion_text
from tvo_cli.tracking.mirrors.mirror import RunInfo
from tvo_cli.tracking.mirrors.mirror_choice import mirrors_of_logger

COLUMNS = ("suite", "id", "decoding", "sample", "prompt", "completion", "gold", "extracted", "correct", "reason")
MOST_ROWS = 1000  # of the table: a page is no place for 160,000 completions


def send_evaluation_to_mirrors(config: Any, figures: Mapping[str, float], responses: Path) -> None:
    """Open the mirrors that `logger` asks for, send the evaluation's scores and completions, and close them."""
    for mirror in mirrors_of_logger(config.logger):
        mirror.start(_evaluation_info(config))
        mirror.log(0, figures)
        mirror.table("completions", 0, COLUMNS, _response_rows(responses))
        mirror.finish(dict(figures), exit_code=0)


def _response_rows(responses: Path) -> list[list[Any]]:
    """The rows of an evaluation's responses.jsonl that its mirrors are sent, up to MOST_ROWS."""
    with responses.open(encoding="utf-8") as lines:
        found = [json.loads(line) for line, _ in zip(lines, range(MOST_ROWS), strict=False)]
    return [[_completion_cell(row[column]) for column in COLUMNS] for row in found]


def _completion_cell(value: Any) -> Any:
    """A value of an evaluation's response as its mirrors are sent it: a text cut and without secrets."""
    return completion_text(value) if isinstance(value, str) else value


def _evaluation_info(config: Any) -> RunInfo:
    tree = redaction.redacted(configuration.resolved_tree(config))
    return RunInfo(
        name=Path(config.output_dir).name,
        group="eval",
        model=str(tree["model"]["name"]),
        dataset="+".join(tree["evaluation"]["suites"]),
        steps=0,
        folder=Path(config.output_dir),
        config=tree,
        command=configuration.rerun_command(),
    )
