"""A training run as Python sees it: its folder, read whenever it is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tvo_cli.api.python_errors import user_errors_raised
from tvo_cli.report import run_card, run_folder_reading, run_listing

if TYPE_CHECKING:
    import pandas as pd

    from tvo_cli.model.policy import Policy


def load(path: str | Path | Run) -> Run:
    """Load the run of a folder, in whatever state it is.

    Raises:
        UserError: it is no run folder.
    """
    folder = path.folder if isinstance(path, Run) else Path(path).expanduser().absolute()
    run_folder_reading.load_run(folder)
    return Run(folder)


@dataclass(frozen=True, slots=True, repr=False)
class Run:
    """A training run. Its attributes are read from the folder when they are asked for, also while the run lasts."""

    folder: Path

    @property
    def config(self) -> dict[str, Any]:
        """The resolved config, groups as mappings: `run.config["optimizer"]["lr"]`."""
        return dict(run_folder_reading.load_run(self.folder).config)

    @property
    def state(self) -> str:
        """`running`, `finished`, `failed` or `interrupted`; a run whose process is gone has failed."""
        return run_listing.listed_state_and_reason(self.folder, self.summary)[0]

    @property
    def reason(self) -> str:
        """Why the run failed or where it was saved when it was interrupted; "" of a finished one."""
        return run_listing.listed_state_and_reason(self.folder, self.summary)[1]

    @property
    def summary(self) -> dict[str, Any]:
        """summary.json; empty before the end."""
        return dict(run_folder_reading.read_run_json(self.folder / "summary.json"))

    @property
    def collapse(self) -> dict[str, Any]:
        """collapse.json: verdict, step of the collapse, rules that fired; empty of a run that was not watched."""
        return dict(run_folder_reading.read_run_json(self.folder / "collapse.json"))

    @property
    def verdict(self) -> str:
        """`healthy`, `collapsed` or another verdict of the collapse rules; `not watched` without any."""
        return str(self.collapse.get("verdict", "not watched"))

    @property
    def metrics(self) -> pd.DataFrame:
        """Return the training metrics: a row a step, a column a metric of docs/metrics.md."""
        return frame_by_step(run_folder_reading.load_run(self.folder).steps)

    @property
    def evaluations(self) -> pd.DataFrame:
        """Return the evaluations on held-out problems: a row each, by the step after which it was made."""
        return frame_by_step(run_folder_reading.load_run(self.folder).evaluations)

    @property
    def card(self) -> str:
        """The card of the run: what happened, whether it was stable, what to do next."""
        return run_card.card_text(run_folder_reading.load_run(self.folder))

    @property
    def figures(self) -> list[Path]:
        """The figures of the run, drawn at its end."""
        return sorted((self.folder / "figures").glob("*.*"))

    @property
    def checkpoints(self) -> list[Path]:
        """The checkpoints that are kept, the oldest first."""
        return sorted(path for path in (self.folder / "checkpoints").glob("step-*") if path.is_dir())

    def policy(self, checkpoint: str = "last", *, device: str = "auto") -> Policy:
        """Load a trained policy: a transformers model (`.network`, in eval mode) and its `.tokenizer`.

        checkpoint: last, best, or the name of one, step-000030.
        """
        from tvo_cli.api.process_state import process_state_kept
        from tvo_cli.experiment.load_policy import load_policy_of_run

        with process_state_kept(), user_errors_raised():
            return load_policy_of_run(self.folder, checkpoint, device)

    def __repr__(self) -> str:
        return f"Run({str(self.folder)!r}: {self.state}, {self.verdict})"


def frame_by_step(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return rows of metrics as a DataFrame, indexed by step."""
    import pandas as pd

    return pd.DataFrame(list(rows), columns=None if rows else ["step"]).set_index("step")
