"""Weights & Biases as a mirror: its own step axis, a run id that survives a resume, offline without a key."""

from __future__ import annotations

import logging
import os
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tvo_cli.errors import UserError
from tvo_cli.tracking.mirror import RunInfo
from tvo_cli.tracking.run_folder import write_text

log = logging.getLogger("tvo")
MODES = ("auto", "online", "offline", "disabled")
ONLINE_TIMEOUT = 20.0  # seconds to reach the service before the run goes offline


class WandbMirror:
    """A run of wandb, inside the run folder."""

    def __init__(self, project: str, mode: str = "auto") -> None:
        if mode not in MODES:
            raise UserError("logger.mode", mode, "there is no such mode.", f"Modes: {', '.join(MODES)}.")
        self._project, self._mode = project, mode
        self._run: Any = None

    def start(self, run: RunInfo) -> None:
        """Open the run; offline when there is no key, or when the service cannot be reached."""
        mode = self._mode if self._mode != "auto" else automatic_mode()
        if mode == "offline" and self._mode == "auto":
            log.info(
                "wandb: no API key, so the run is kept offline; to send it: wandb sync %s",
                run.folder / "wandb",
            )
        try:
            self._open(run, mode)
        except Exception as error:  # wandb raises many kinds for a service out of reach
            if mode != "online" or self._mode == "online":
                raise
            log.warning("wandb: the service cannot be reached (%s), so the run is kept offline", error)
            self._open(run, "offline")

    def _open(self, run: RunInfo, mode: str) -> None:
        os.environ.setdefault("WANDB_SILENT", "true")
        os.environ.setdefault("WANDB_CACHE_DIR", str(run.folder / "wandb" / "cache"))
        import wandb

        self._run = wandb.init(
            project=self._project,
            name=run.name,
            group=run.group,
            id=run_id(run.folder),
            resume="allow" if mode == "online" else None,
            dir=str(run.folder),
            config=dict(run.config),
            mode=mode,  # type: ignore[arg-type]
            settings=wandb.Settings(silent=True, console="off", init_timeout=ONLINE_TIMEOUT, x_disable_stats=True),
        )
        self._run.define_metric("step", hidden=True)
        self._run.define_metric("*", step_metric="step")

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        """Send a step; the axis is our step, not wandb's count of calls."""
        if self._run is not None:
            self._run.log({"step": step, **metrics})

    def alert(self, title: str, text: str) -> None:
        """An alert to the account's owner; only a run that is online has one."""
        if self._run is not None and not self._run.offline and not self._run.disabled:
            self._run.alert(title=title, text=text)

    def table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """A table of the run's page."""
        if self._run is not None:
            import wandb

            texts = [[cell if isinstance(cell, int | float) else str(cell) for cell in row] for row in rows]
            self._run.log({name: wandb.Table(columns=list(columns), data=texts)})

    def finish(self, summary: Mapping[str, Any], exit_code: int) -> None:
        """Write the summary and close: nothing is left for an exit hook."""
        if self._run is not None:
            self._run.summary.update(dict(summary))
            self._run.finish(exit_code=exit_code)
            self._run = None


def automatic_mode() -> str:
    """What WANDB_MODE says; else online with a key, offline without."""
    said = os.environ.get("WANDB_MODE", "")
    if said in MODES[1:]:
        return said
    return "online" if has_key() else "offline"


def has_key() -> bool:
    """Whether wandb would find a key: in the environment or in a netrc file."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    place = Path(os.environ.get("NETRC", "")) if os.environ.get("NETRC") else Path.home() / ".netrc"
    try:
        return "wandb" in place.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False


def run_id(folder: Path) -> str:
    """The run's id: made once, kept in the run folder, so that a resumed run goes on in the same place."""
    place = folder / "wandb_id.txt"
    if place.exists():
        return place.read_text(encoding="utf-8").strip()
    made = secrets.token_hex(4)
    write_text(place, made + "\n")
    return made
