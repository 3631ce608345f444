"""`tvo train`: one run from a config to its summary."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from tvo_cli import environment
from tvo_cli.config.cross_key_checks import check_across_keys
from tvo_cli.evaluation.test_sets import EvaluatedTestSets
from tvo_cli.experiment.automatic_settings import settle_training_settings
from tvo_cli.experiment.build_session import build_session
from tvo_cli.experiment.disk_room import check_disk_room
from tvo_cli.memory.reference_and_recorder import copies_left_out
from tvo_cli.model.model_files.model_identity import model_identity, warn_of_fetched_weights
from tvo_cli.parallel.ranks import Ranks
from tvo_cli.stability import idle_rules
from tvo_cli.tracking.buffered_log import BufferedLog
from tvo_cli.training import training_loop
from tvo_cli.training.collapse_verdict import verdict_of_run
from tvo_cli.training.resume import finished_run, resume_compatibility, same_dataset, session_checkpoint
from tvo_cli.training.resume.run_folder_preparation import prepare_run_folder
from tvo_cli.training.same_state import state_digest
from tvo_cli.training.session import Session

log = logging.getLogger("tvo")


def train(config: DictConfig, ranks: Ranks | None = None) -> dict[str, Any]:
    """Run one training, or this rank's share of one; the summary that is also written to summary.json."""
    ranks = ranks or Ranks()
    check_across_keys(config)
    folder = Path(config.output_dir)
    with ExitStack() as resources:
        held = resources.enter_context(BufferedLog())
        settle_training_settings(config)
        resume_compatibility.check_resumable(folder, config)
        session = build_session(config, folder, resources, ranks)
        warn_of_fetched_weights(config.model)
        identity = model_identity(config.model)  # of the start: its files may change, or go, while the run lasts
        left_out = copies_left_out(config, session.plan.reference, session.plan.recorder)
        for line in (*left_out, *session.plan.variance.lines_of_run()):
            log.info("%s", line)
        idle_rules.log_idle_rules(config, reference=session.learner.reference is not None)
        ranks.run_on_first(lambda: check_disk_room(config, session.plan, folder), None)
        same_dataset.check_same_dataset(folder, session.origin, config)
        ranks.check_same(_facts_of_session(session))
        finished_run.check_run_is_not_extended(session, str(config.resume.mode))
        ranks.run_on_first(lambda: prepare_run_folder(folder, config), None)
        resources.enter_context(session.tracker)
        held.say()
        facts = environment.facts_of_run(session.learner)
        if ranks.is_first:
            shared = {"ranks": ranks.count, "parallel": str(config.parallel.strategy)} if ranks.count > 1 else {}
            environment.record_environment(folder, facts | shared)
        session_checkpoint.resume_session(session)
        evaluation = training_loop.train(session)
        told = {"fast_paths": environment.fast_paths_taken(facts), "model": identity}
        summary = session.tracker.finish(_summary_of_run(session, evaluation) | told)
        if session.tracker.shows_figures:
            _show_figure(session)
        return summary


def _show_figure(session: Session) -> None:
    """At the end of `tvo train`, draw the run's figure and show it in the mirrors."""
    from tvo_cli.report import run_folder_reading, run_plot

    drawn = run_plot.draw_run_figure(run_folder_reading.load_run(session.folder))
    for path in (one for one in drawn if one.suffix == ".png"):
        session.tracker.show_figure(path)


def _facts_of_session(session: Session) -> dict[str, str]:
    """What all ranks of a training must have found in their own files, and how they cut the work."""
    found = {**session.origin, "passes": session.passes, "limits": session.limits, "sampling": session.sampling}
    return {name: state_digest(str(fact)) for name, fact in found.items()}


def _summary_of_run(session: Session, evaluation: EvaluatedTestSets | None) -> dict[str, Any]:
    """What `tvo train` writes into summary.json at its end: counters, settings, evaluation, times."""
    counters = session.counters
    return {
        "algorithm": session.learner.algorithm.name,
        "seed": session.seed,
        "steps": counters.step,
        "rollouts": counters.rollouts,
        "tokens": counters.tokens,
        "precision": session.learner.runtime.precision,
        "skipped_updates": counters.skipped,
        "rollbacks": counters.rollbacks,
        **({"refused": counters.refused, "batches_lost": counters.lost} if session.limits.refuse else {}),
        "best_fresh_accuracy": counters.best_accuracy,
        "best_step": counters.best_step,
        "collapse": verdict_of_run(session),
        "evaluation": evaluation.metrics() if evaluation else None,
        "grader": dict(session.grader.counts),
    }
