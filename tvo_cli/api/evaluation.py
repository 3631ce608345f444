"""Evaluation from Python: the same evaluation as `tvo eval` in a shell."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tvo_cli import config as configuration
from tvo_cli.api.launching import launched
from tvo_cli.api.overrides import checked_overrides
from tvo_cli.api.run import Run
from tvo_cli.config.evaluation_choices import suites_to_evaluate_as_list
from tvo_cli.experiment.unnamed_suite import name_heldout_suite
from tvo_cli.job.evaluation import evaluate_and_report
from tvo_cli.job.run_in_folder import run_in_folder
from tvo_cli.report import run_folder_reading
from tvo_cli.tracking.terminal.evaluation_progress import evaluation_progress

if TYPE_CHECKING:
    import pandas as pd

    from tvo_cli.evaluation.generate_and_grade import EvaluatorProgress

log = logging.getLogger("tvo")


@dataclass(frozen=True, slots=True)
class Evaluation:
    """An evaluation of a model on suites: its folder, read whenever it is asked."""

    folder: Path

    @property
    def summary(self) -> dict[str, Any]:
        """summary.json: model, protocol and scores of every suite."""
        return dict(run_folder_reading.read_run_json(Path(self.folder) / "summary.json"))

    @property
    def scores(self) -> pd.DataFrame:
        """Return the scores: a row a suite, with avg@k, pass@k and maj@k as shares and the ends of their intervals."""
        import pandas as pd

        rows = [{"suite": name, **_scores_of_suite(found)} for name, found in self.summary.get("suites", {}).items()]
        return pd.DataFrame(rows, columns=None if rows else ["suite"]).set_index("suite")

    @property
    def responses(self) -> pd.DataFrame:
        """Return every completion with its verdict: a row each."""
        import pandas as pd

        lines = (Path(self.folder) / "responses.jsonl").read_text(encoding="utf-8").split("\n")
        return pd.DataFrame([json.loads(line) for line in lines if line])


def evaluate(
    overrides: Sequence[str] = (),
    *,
    model: str | Path | Run | None = None,
    config_dir: str | Path | None = None,
    progress: bool = True,
) -> Evaluation:
    """Evaluate a model on suites, as `tvo eval` does with the same overrides.

    model: a run, a folder in hub format, or a hub id; short for the override model.path. config_dir: a folder of
    configs of your own, besides ./conf and TVO_CONF. progress: print to standard error how far it is, every 10 s.

    Raises:
        UserError: a setting is wrong; its text names the key, the value and what to do.
    """
    place = model.folder if isinstance(model, Run) else model
    given = [] if place is None else [configuration.hydra_override("model.path", str(place))]
    words = [suites_to_evaluate_as_list(word) for word in checked_overrides(overrides, "evaluate", given)]
    words = name_heldout_suite(words, log.info)
    keys = [configuration.split_override(word)[0] for word in words]
    with launched("eval", words, config_dir), _watched(progress) as watch:
        config = configuration.compose_job(words, "eval")
        task = partial(evaluate_and_report, watch=watch, given=keys, tell=log.info)
        run_in_folder(task, config, "eval", words)
    return Evaluation(Path(config.output_dir))


def _watched(progress: bool) -> AbstractContextManager[Callable[[EvaluatorProgress], object]]:
    """Return what watches the batches: the progress that is printed, or nobody."""
    return evaluation_progress() if progress else nullcontext(lambda step: None)


def _scores_of_suite(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return one row of the scores."""
    row: dict[str, Any] = {"problems": found["problems"], "samples": found.get("samples", 0)}
    for name in ("avg", "maj", "greedy"):
        row |= _score_with_interval(name, found.get(name))
    for k, value in (found.get("pass") or {}).items():
        row |= _score_with_interval(f"pass@{k}", value)
    return row


def _score_with_interval(name: str, score: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return a score and the ends of its interval, as columns of what Python is given."""
    return {} if score is None else {name: score["mean"], f"{name}_low": score["low"], f"{name}_high": score["high"]}
