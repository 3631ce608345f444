"""The parts of a run, connected: a resolved config becomes a session."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from omegaconf import DictConfig

from tvo_cli import config as configuration
from tvo_cli import data
from tvo_cli.data.problems import Problems
from tvo_cli.evaluation.test_sets import OWN, TestSet
from tvo_cli.experiment.automatic_settings import notes_on_prompt, settle_training_settings
from tvo_cli.experiment.build_algorithm import build_algorithm
from tvo_cli.experiment.build_learner import LearnerNetworks, build_learner, build_networks
from tvo_cli.experiment.build_next_token import build_next_token_loss
from tvo_cli.experiment.build_rewards import build_rewards
from tvo_cli.experiment.build_sampler import build_sampler
from tvo_cli.experiment.build_test_sets import EvaluatedBy, build_test_sets, is_scored_by_evaluation
from tvo_cli.experiment.device_memory import plan_of_run
from tvo_cli.experiment.shard_networks import shard_networks
from tvo_cli.memory.planned_run import PlannedRun
from tvo_cli.memory.reference_and_recorder import RecorderChoice
from tvo_cli.model import Policy, load_policy
from tvo_cli.model.model_card import ModelCard
from tvo_cli.parallel.ranks import Ranks
from tvo_cli.reward import Grader
from tvo_cli.rollout import SamplingParams
from tvo_cli.rollout.decoding.onednn import LARGE, onednn_matmul
from tvo_cli.stability import CollapseWatch, GradientNoiseSmoother
from tvo_cli.tracking import Tracker
from tvo_cli.tracking.follower_tracker import FollowerTracker
from tvo_cli.training import rng
from tvo_cli.training.device_and_precision import Runtime, set_up_runtime
from tvo_cli.training.readings_state import ReadingsSettings
from tvo_cli.training.resume.checkpoint_origin import checkpoint_origin
from tvo_cli.training.resume.same_dataset import dataset_fingerprints
from tvo_cli.training.run_data import run_problems as chosen_problems
from tvo_cli.training.run_data.heldout_overlap import warn_of_heldout_overlap
from tvo_cli.training.run_settings import InnerLoopSettings, RecorderSettings, RunSettings
from tvo_cli.training.session import Session
from tvo_cli.training.update.next_token_loss import NextTokenLoss

log = logging.getLogger("tvo")


def build_session(config: DictConfig, folder: Path, resources: ExitStack, ranks: Ranks | None = None) -> Session:
    """A run's parts, connected; nothing is written. `ranks`: the processes it is shared out among."""
    ranks = ranks or Ranks()
    settle_training_settings(config)
    runtime = _runtime_of(config, ranks)
    rng.seed_generators(int(config.seed))
    algorithm = build_algorithm(config)
    policy = load_policy(config.model, device=runtime.device)
    _log_session_notes(notes_on_prompt(config, policy.tokenizer))
    problems = chosen_problems.select_training_problems(config, policy, at_once=int(config.rollout.prompts))
    grader = resources.enter_context(Grader(config.reward, sharing=ranks.sharing))
    plan = ranks.from_first(plan_of_run(config, policy), PlannedRun)
    learner = build_learner(config, algorithm, _build_networks(config, policy, plan, ranks, resources), runtime)
    sampler = build_sampler(config, learner.policy, problems, resources, runtime.device)
    test_sets = build_test_sets(config, EvaluatedBy(learner.policy, grader, sampler, plan.bounds.cache_bytes))
    warn_of_heldout_overlap(config, problems, (problem for one in test_sets for problem in one.heldout.problems))
    next_token = build_next_token_loss(config, learner.policy)
    return Session(
        seed=int(config.seed),
        folder=folder,
        learner=learner,
        cursor=data.build_cursor(problems, int(config.seed), config.curriculum),
        prompt=configuration.resolved_tree(config.model.prompt),
        sampling=replace(SamplingParams.of(config.rollout), cache_bytes=plan.bounds.cache_bytes),
        next_token=next_token,
        passes=_build_inner_loop_settings(config, plan, ranks.count),
        grader=grader,
        **build_rewards(config, resources)._asdict(),
        test_sets=test_sets,
        watch=CollapseWatch.of(config.stability),
        smoother=GradientNoiseSmoother(),
        tracker=Tracker(config, folder, program=ranks.program) if ranks.is_first else FollowerTracker(),
        limits=_run_settings(config, runtime, scored=is_scored_by_evaluation(config, test_sets)),
        sampler=sampler,
        plan=plan,
        recorder=_recorder_settings(config, plan.recorder),
        neutral_ids=_neutral_word_ids(problems, policy),
        card=ModelCard.of(config),
        origin=checkpoint_origin(config, learner) | _learnt_and_held_out(problems, test_sets, next_token),
    )


def _learnt_and_held_out(
    problems: data.Problems, test_sets: Sequence[TestSet], next_token: NextTokenLoss | None
) -> dict[str, str]:
    """The fingerprints of what a session learns from, and of the held-out problems of its own data set."""
    own = next((one.heldout.problems for one in test_sets if one.name == OWN), ())
    return dataset_fingerprints(problems, own, next_token)


def _log_session_notes(notes: Iterable[str]) -> None:
    for note in notes:
        log.info("%s", note)


def _runtime_of(config: DictConfig, ranks: Ranks) -> Runtime:
    trainer, dtype = config.trainer, config.model.dtype
    threads, deterministic = int(trainer.threads), bool(trainer.deterministic)
    return set_up_runtime(
        trainer.device, trainer.precision, dtype, threads, deterministic, ranks, device_key="trainer.device"
    )


def _build_networks(
    config: DictConfig, policy: Policy, plan: PlannedRun, ranks: Ranks, resources: ExitStack
) -> LearnerNetworks:
    """The session's networks: by the quickest products, and shared out where several ranks hold them."""
    networks = build_networks(config, policy, with_reference=plan.reference.kept)
    quick = config.trainer.get("matmul", "default") == "auto"
    resources.enter_context(onednn_matmul(*networks.transformers, least=LARGE, products=quick))
    return shard_networks(networks, config, ranks) if ranks.sharded else networks


def _build_inner_loop_settings(config: DictConfig, plan: PlannedRun, ranks: int) -> InnerLoopSettings:
    """The session's settings of the inner loop, from the config and what `auto` has become."""
    return InnerLoopSettings(
        epochs=int(config.rollout.epochs),
        minibatches=int(config.rollout.minibatches),
        microbatch_rows=int(config.trainer.microbatch_rows),
        microbatch_tokens=plan.bounds.microbatch_tokens,
        variance_parts=int(config.trainer.variance_parts),
        temperature=float(config.rollout.temperature) or 1.0,
        ranks=ranks,
        parted_variance=plan.variance.read,
    )


def _recorder_settings(config: DictConfig, chosen: RecorderChoice) -> RecorderSettings:
    """The settings of the flight recorder that a session is built with."""
    return RecorderSettings(chosen.steps, chosen.collapse.kept, chosen.nonfinite.kept, int(config.recorder.keep))


def _run_settings(config: DictConfig, runtime: Runtime, *, scored: bool) -> RunSettings:
    trainer, evaluation, stability = config.trainer, config.evaluation, config.stability
    other = runtime.accelerator.mixed_precision != "no" or config.rollout.get("engine")
    other = other or (config.parallel.strategy == "shard" and config.parallel.gather == "bfloat16")
    automatic = "trainer" if other else "sampler"
    return RunSettings(
        steps=int(trainer.steps),
        prompts=int(config.rollout.prompts),
        evaluate_at_start=bool(evaluation.at_start),
        checkpoint_every=int(trainer.checkpoint_every),
        keep=int(trainer.keep),
        keep_every=int(trainer.keep_every),
        keep_best=bool(trainer.keep_best),
        save_policy_only=bool(trainer.get("save_policy_only", False)),
        nonfinite_limit=int(trainer.nonfinite_limit),
        snapshot_every=int(stability.snapshot_every) if stability.on_collapse == "rollback" else 0,
        viscosity_factor=float(stability.viscosity_factor),
        refuse=float(stability.refuse),
        refuse_drift=float(stability.refuse_drift),
        old_logp=automatic if trainer.old_logp == "auto" else str(trainer.old_logp),
        importance_cap=float(trainer.importance_cap),
        mismatch_limit=float(config.rollout.get("mismatch_limit", math.inf)),
        best=str(evaluation.best or OWN),
        scored_by_evaluation=scored,
        ranks_checked_every=int(config.parallel.check_every),
        profiled=tuple(map(int, trainer.get("profile", ()))),
        readings=ReadingsSettings.of(stability.get("readings") or {}),
    )


def _neutral_word_ids(problems: Problems, policy: Policy) -> tuple[int, ...]:
    """Token ids of words of the run's problems that no reward touches: the gauge of mode collapse on embedded tasks."""
    words = list(problems.neutral_words)
    return tuple(policy.tokenizer.convert_tokens_to_ids(words)) if words else ()
