"""The Weights & Biases mirror: its own step axis, a run id that survives a resume, offline without a key."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tvo_cli.errors import UserError
from tvo_cli.tracking.metric_names import WITH_EXTREMES
from tvo_cli.tracking.mirrors import wandb_file
from tvo_cli.tracking.mirrors.mirror import MirrorRowKey, RunInfo
from tvo_cli.tracking.mirrors.wandb_id import wandb_run_id

log = logging.getLogger("tvo")
MODES = ("auto", "online", "offline", "disabled")
OLDER_NAMES = {"dryrun": "offline", "run": "online"}  # of WANDB_MODE
_placed: dict[str, str] = {}  # variables that this process has set, and to what
ONLINE_TIMEOUT = 20.0  # seconds to reach the service before the run goes offline


class WandbMirror:
    """A mirror that is a run of wandb, inside the run folder."""

    def __init__(self, project: str, mode: str = "auto", *, system_charts: bool = False) -> None:
        if mode not in MODES:
            raise UserError("logger.mode", mode, "there is no such mode.", f"Modes: {', '.join(MODES)}.")
        self._project, self._mode, self._system_charts = project, mode, system_charts
        self._run: Any = None
        self._step = 0
        self._folder = Path()

    def start(self, run: RunInfo) -> None:
        """Open the run; offline when there is no key, or when the service cannot be reached."""
        self._folder = run.folder
        mode = self._mode if self._mode != "auto" else automatic_wandb_mirror_mode()
        if mode == "offline":
            reason = self._why_offline()
            log.info("wandb: %s, so the run is kept offline; to send it: wandb sync %s", reason, run.folder / "wandb")
        try:
            self._open(run, mode)
        except Exception as error:  # wandb raises many kinds for a service out of reach
            if mode != "online" or self._mode == "online":
                raise
            log.warning("wandb: the service cannot be reached (%s), so the run is kept offline", error)
            self._open(run, "offline")

    def _why_offline(self) -> str:
        if self._mode == "offline":
            return "logger.mode=offline"
        return "WANDB_MODE=offline" if wandb_mode_of_environment() else "no API key"

    def _open(self, run: RunInfo, mode: str) -> None:
        _keep_wandb_inside_run_folder(run.folder / "wandb")
        import wandb

        self._run = wandb.init(
            project=self._project,
            name=run.name,
            group=run.sweep or run.group,
            job_type=run.group,
            tags=[run.group, run.model, run.dataset],
            notes=run.command,
            id=wandb_run_id(run.folder),
            resume="allow",  # offline it marks the file, so that `wandb sync` appends it to those before
            dir=str(run.folder),
            config=dict(run.config),
            mode=mode,  # type: ignore[arg-type]
            settings=wandb.Settings(
                silent=True, console="off", init_timeout=ONLINE_TIMEOUT, x_disable_stats=not self._system_charts
            ),
        )
        self._run.define_metric("step", hidden=True)
        self._run.define_metric("*", step_metric="step")
        for name in WITH_EXTREMES:
            self._run.define_metric(name, step_metric="step", summary="min,max,last")

    def held(self) -> set[MirrorRowKey]:
        """Online the steps before the first that the service expects; offline those of the run's files.

        The service process of a killed run ends with it, and a step reaches it whole, with its evaluation.
        """
        if self._run is None or self._run.disabled:
            return set()
        if not self._run.offline:
            return {MirrorRowKey(step, kind) for step in range(self._run.starting_step) for kind in (True, False)}
        name = wandb_run_id(self._folder)
        files = (self._folder / "wandb").glob(f"*run-*-{name}/run-{name}.wandb")
        return set().union(*map(wandb_file.rows_in_wandb_file, files))

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        """Send a step under its own number: the service adds an evaluation to it, and takes no step twice."""
        if self._run is not None:
            self._step = step
            self._run.log({"step": step, **metrics}, step=step)

    def alert(self, title: str, text: str) -> None:
        """An alert to the account's owner; only a run that is online has one."""
        if self._run is not None and not self._run.offline and not self._run.disabled:
            self._run.alert(title=title, text=text)

    def table(self, name: str, step: int, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """A table of the run's page, beside the metrics of its step."""
        if self._run is not None:
            import wandb

            # a table leaves a temporary folder of wandb's to the end of the process, which Python then remarks on
            warnings.filterwarnings("ignore", "Implicitly cleaning up <TemporaryDirectory", ResourceWarning)
            texts = [[cell if isinstance(cell, int | float) else str(cell) for cell in row] for row in rows]
            self._run.log({"step": step, name: wandb.Table(columns=list(columns), data=texts)}, step=step)

    def figure(self, path: Path) -> None:
        """The run's figure, beside its last step."""
        if self._run is not None:
            import wandb

            self._run.log({"step": self._step, "figure": wandb.Image(str(path))}, step=self._step)

    def finish(self, summary: Mapping[str, Any], exit_code: int) -> None:
        """Write the summary and close: nothing is left for an exit hook."""
        if self._run is not None:
            self._run.summary.update(dict(summary))
            self._run.finish(exit_code=exit_code)
            self._run = None


def _keep_wandb_inside_run_folder(folder: Path) -> None:
    """Set wandb's folders inside the run folder, also where the user has no home."""
    os.environ.setdefault("WANDB_SILENT", "true")
    _set_wandb_folder("WANDB_CACHE_DIR", folder / "cache")
    _set_wandb_folder("WANDB_DATA_DIR", folder / "data")  # tables until they are sent
    try:
        Path.home()
    except RuntimeError:  # neither HOME nor an entry in passwd
        for name, place in (("WANDB_CONFIG_DIR", "config"), ("NETRC", "netrc")):
            _set_wandb_folder(name, folder / place)


def _set_wandb_folder(name: str, place: Path) -> None:
    """Set a variable to a place of this run, unless the user has set it: a process may make several runs."""
    if os.environ.get(name) in (None, _placed.get(name)):
        os.environ[name] = _placed[name] = str(place)


def automatic_wandb_mirror_mode() -> str:
    """Return the mode that WANDB_MODE names; else online with a key, offline without."""
    return wandb_mode_of_environment() or ("online" if has_wandb_mirror_key() else "offline")


def wandb_mode_of_environment() -> str:
    """Return WANDB_MODE, where it names a mode."""
    said = os.environ.get("WANDB_MODE", "").lower()
    mode = OLDER_NAMES.get(said, said)
    return mode if mode in MODES[1:] else ""


def has_wandb_mirror_key() -> bool:
    """Return whether wandb would find a key: in the environment or in a netrc file."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    try:
        place = Path(os.environ.get("NETRC") or Path.home() / ".netrc")
        return "wandb" in place.read_text(encoding="utf-8", errors="replace")
    except (OSError, RuntimeError):  # RuntimeError: neither HOME nor an entry in passwd
        return False
