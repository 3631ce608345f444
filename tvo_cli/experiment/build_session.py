"""The parts of a run, connected: a resolved config becomes a session."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from omegaconf import DictConfig

from tvo_cli import data
from tvo_cli.experiment.build_heldout import build_heldout
from tvo_cli.experiment.build_learner import build_learner
from tvo_cli.model import Policy, load_policy
from tvo_cli.reward import Grader, Rewards
from tvo_cli.rollout import SamplingParams
from tvo_cli.rollout.onednn import LARGE, onednn_matmul
from tvo_cli.stability import CollapseWatch, GradientNoiseSmoother
from tvo_cli.tracking import Tracker
from tvo_cli.training import dataset_fingerprint, rng
from tvo_cli.training import run_problems as chosen_problems
from tvo_cli.training.checkpoint_origin import checkpoint_origin
from tvo_cli.training.device_and_precision import Runtime, set_up_runtime
from tvo_cli.training.run_settings import InnerLoopSettings, RecorderSettings, RunSettings
from tvo_cli.training.session import Session

CACHED = 2048  # positions of one forward on a CPU


def build_session(config: DictConfig, folder: Path, resources: ExitStack) -> Session:
    """A run's parts, connected; nothing is written."""
    trainer = config.trainer
    runtime = set_up_runtime(
        trainer.device, trainer.precision, config.model.dtype, int(trainer.threads), bool(trainer.deterministic)
    )
    rng.seed_generators(int(config.seed))
    policy = load_policy(config.model, device=runtime.device)
    problems = chosen_problems.select_training_problems(config, policy, at_once=int(config.rollout.prompts))
    grader = resources.enter_context(Grader(config.reward))
    cursor = data.Cursor(problems, seed=int(config.seed), shuffle=True)
    learner = build_learner(config, policy, runtime)
    if config.trainer.get("matmul", "default") == "auto":
        resources.enter_context(onednn_matmul(*learner.networks, least=LARGE))
    heldout = build_heldout(config, policy, grader)
    evaluated = heldout.problems if heldout else ()
    chosen_problems.warn_of_heldout_overlap(config, problems, evaluated)
    return Session(
        seed=int(config.seed),
        folder=folder,
        learner=learner,
        cursor=cursor,
        prompt=config.model.prompt,
        sampling=SamplingParams.of(config.rollout),
        passes=_build_inner_loop_settings(config, policy),
        grader=grader,
        rewards=Rewards(config.reward),
        heldout=heldout,
        watch=CollapseWatch.of(config.stability),
        smoother=GradientNoiseSmoother(),
        tracker=Tracker(config, folder),
        limits=_run_settings(config, runtime),
        recorder=_build_recorder_settings(config.recorder),
        neutral_ids=chosen_problems.neutral_word_ids(problems, policy),
        origin=checkpoint_origin(config, learner) | dataset_fingerprint.dataset_fingerprints(problems, evaluated),
    )


def _build_recorder_settings(node: DictConfig) -> RecorderSettings:
    return RecorderSettings(tuple(node.steps), bool(node.on_collapse), bool(node.on_nonfinite), int(node.keep))


def _build_inner_loop_settings(config: DictConfig, policy: Policy) -> InnerLoopSettings:
    return InnerLoopSettings(
        epochs=int(config.rollout.epochs),
        minibatches=int(config.rollout.minibatches),
        microbatch_rows=int(config.trainer.microbatch_rows),
        microbatch_tokens=_build_microbatch_tokens(config.trainer.get("microbatch_tokens", 0), policy),
        variance_parts=int(config.trainer.variance_parts),
        temperature=float(config.rollout.temperature) or 1.0,
    )


def _build_microbatch_tokens(asked: int | str, policy: Policy) -> int:
    """Positions a forward pass; what stays in a CPU's cache is computed fastest."""
    weights = list(policy.parameters())
    bounded = weights[0].device.type == "cpu" and sum(p.numel() for p in weights) >= LARGE
    return (CACHED if bounded else 0) if asked == "auto" else int(asked)


def _run_settings(config: DictConfig, runtime: Runtime) -> RunSettings:
    trainer, evaluation, stability = config.trainer, config.evaluation, config.stability
    automatic = "trainer" if runtime.accelerator.mixed_precision != "no" else "sampler"
    return RunSettings(
        steps=int(trainer.steps),
        prompts=int(config.rollout.prompts),
        evaluate_every=int(evaluation.every),
        evaluate_at_start=bool(evaluation.at_start),
        checkpoint_every=int(trainer.checkpoint_every),
        keep=int(trainer.keep),
        keep_every=int(trainer.keep_every),
        keep_best=bool(trainer.keep_best),
        save_policy_only=bool(trainer.get("save_policy_only", False)),
        nonfinite_limit=int(trainer.nonfinite_limit),
        snapshot_every=int(stability.snapshot_every) if stability.on_collapse == "rollback" else 0,
        viscosity_factor=float(stability.viscosity_factor),
        old_logp=automatic if trainer.old_logp == "auto" else str(trainer.old_logp),
        importance_cap=float(trainer.importance_cap),
    )
