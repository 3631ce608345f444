"""The rows of a W&B run: of the .wandb file that an offline run leaves, or of the server by ENTITY/PROJECT/ID."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tvo_cli.errors import UserError
from tvo_cli.runs import other_tools
from tvo_cli.runs.log_file_formats import LoggedRows
from tvo_cli.runs.tool_mappings import ToolMapping
from tvo_cli.runs.trial import Trial
from tvo_cli.tracking.mirrors.wandb_file import wandb_records

SUFFIX, SCHEME = ".wandb", "wandb:"


def is_online_path(path: Path) -> bool:
    """Return whether a path names a run of the W&B server: wandb:ENTITY/PROJECT/ID."""
    return str(path).startswith(SCHEME)


def read_offline_run(file: Path) -> LoggedRows:
    """Read the history in a .wandb file, up to where a kill has torn it."""
    from wandb.proto import wandb_internal_pb2 as messages

    rows = []
    try:
        for data in wandb_records(file.read_bytes()):
            record = messages.Record.FromString(data)  # type: ignore[attr-defined]
            if record.WhichOneof("record_type") == "history":
                rows.append(_history_row(record.history))
    except ValueError as error:
        return LoggedRows([], {}, (f"{file.name}: {error}; nothing of it can be read",))
    return LoggedRows(rows)


def _history_row(history: Any) -> dict[str, Any]:
    """A row of a W&B run's history as the metrics of a step."""
    items = {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in history.item}
    return {"_step": history.step.num, **items}


def read_online_run(path: str, chosen: ToolMapping) -> tuple[Trial, list[str]]:
    """Read the whole history of a run from the W&B server.

    Raises:
        UserError: the path has not three parts, or the server does not give the run.
    """
    name = path.removeprefix(SCHEME).strip("/")
    if name.count("/") != 2:
        raise UserError("runs", path, "names no run of W&B.", "wandb:ENTITY/PROJECT/ID, as in the run's address.")
    import wandb

    try:
        rows = [dict(row) for row in wandb.Api(timeout=30).run(name).scan_history()]
    except Exception as error:  # wandb raises errors of many kinds, its own and requests'
        remedy = "Log in with wandb login, or give the offline folder that holds run-ID.wandb."
        raise UserError("runs", path, f"W&B does not give it ({type(error).__name__}).", remedy) from error
    return other_tools.trial_of_rows(LoggedRows(rows), Path(name), name, path, chosen)
