"""What can be said of a configuration before anything is loaded: one clear line for each mistake."""

from __future__ import annotations

import inspect
import math
from itertools import combinations
from pathlib import PurePath
from typing import Any

from tvo_cli import config as configuration
from tvo_cli.errors import UserError

POSITIVE = (
    *("trainer.steps", "rollout.prompts", "rollout.samples", "rollout.epochs", "rollout.minibatches"),
    *("rollout.max_tokens", "optimizer.lr", "optimizer.clip_norm", "evaluation.samples", "trainer.nonfinite_limit"),
)
REAL = ("optimizer.lr", "optimizer.clip_norm", "rollout.temperature", "evaluation.temperature")
NOT_NEGATIVE = (
    *("trainer.checkpoint_every", "trainer.microbatch_rows", "trainer.variance_parts", "evaluation.every"),
    *("evaluation.problems", "rollout.temperature", "rollout.top_k"),
    *("evaluation.temperature", "trainer.keep", "trainer.keep_every", "trainer.threads", "recorder.keep"),
)
# Directions that cancel each other (docs/combining.md); a direction beside itself: two hands on one wheel.
CONTRADICTIONS = {
    ("favours uncertain tokens", "favours certain tokens"): "their weights multiply and undo each other.",
    ("raises entropy", "lowers entropy"): "what one adds the other takes away.",
    ("holds entropy", "lowers entropy"): "one gives back what the other takes.",
    ("holds entropy", "holds entropy"): "two controllers with a target each pull one entropy to and fro.",
}
DIRECTIONS = ("limits entropy change", *sorted({one for pair in CONTRADICTIONS for one in pair}))
CHOICES = {
    "stability.on_collapse": ("warn", "stop", "rollback"),
    "resume.mode": ("auto", "never", "must"),
    "trainer.old_logp": ("auto", "sampler", "trainer"),
    "trainer.products": ("auto", "default"),
}


def check(config: Any) -> None:
    """Raise UserError for the first thing that cannot work."""
    _schedule(config)
    _engine(config)
    _numbers(config)
    _choices(config)
    _names(config)
    _recorded_steps(config)
    _division(config)
    _group_size(config)
    _keywords(config.algorithm, "algorithm")
    _directions(config.algorithm.directions)


def _select(config: Any, key: str) -> Any:
    for part in key.split("."):
        config = config[part]
    return config


def _schedule(config: Any) -> None:
    """Suites belong to `tvo eval`; a run evaluates itself on its own held-out problems."""
    if "suites" in config.evaluation:
        remedy = "In a run: default, greedy, quick, off. After it: tvo eval model.path=RUN evaluation=…"
        raise UserError("evaluation", "+".join(config.evaluation.suites), "is a suite of `tvo eval`.", remedy)


def _engine(config: Any) -> None:
    """Training samples from its own loop: its log-probabilities are the trainer's."""
    if config.rollout.get("engine"):
        remedy = "Training has its own loop: rollout=default, small or large."
        raise UserError("rollout", config.rollout.engine, "is an engine of `tvo eval`.", remedy)


def _numbers(config: Any) -> None:
    for key in (*POSITIVE, *NOT_NEGATIVE):
        value, whole = _select(config, key), key not in REAL
        wrong = isinstance(value, bool) or not isinstance(value, int if whole else int | float)
        if wrong or not math.isfinite(value) or value < 0 or (key in POSITIVE and value == 0):
            kind, least = "a whole number" if whole else "a number", "more than 0" if key in POSITIVE else "at least 0"
            raise UserError(key, value, f"must be {kind}, {least}.")
    top_p = _select(config, "rollout.top_p")
    if isinstance(top_p, bool) or not isinstance(top_p, int | float) or not 0.0 < top_p <= 1.0:
        raise UserError("rollout.top_p", top_p, "must be a number in (0, 1].")


def _choices(config: Any) -> None:
    tokens = config.trainer.microbatch_tokens
    if tokens != "auto" and (isinstance(tokens, bool) or not isinstance(tokens, int) or tokens < 0):
        raise UserError("trainer.microbatch_tokens", tokens, "must be auto or a whole number, at least 0.")
    for key, offered in CHOICES.items():
        value = _select(config, key)
        if value not in offered:
            raise UserError(key, value, "not a choice.", f"Choose {', '.join(offered)}.")


def _names(config: Any) -> None:
    """A run's name is a folder's name: it cannot lead out of outputs/."""
    for key in ("experiment_name", "run_name"):
        value = str(config[key])
        parts = PurePath(value).parts
        if not parts or PurePath(value).is_absolute() or ".." in parts or "\0" in value:
            raise UserError(key, value, "leads out of outputs/.", "To choose the folder freely: output_dir=…")


def _recorded_steps(config: Any) -> None:
    steps = config.recorder.steps
    if not all(isinstance(step, int) and not isinstance(step, bool) and step > 0 for step in steps):
        raise UserError("recorder.steps", list(steps), "must be a list of steps, counted from 1.")


def _division(config: Any) -> None:
    prompts, pieces = config.rollout.prompts, config.rollout.minibatches
    if prompts % pieces:
        near = max(n for n in range(1, pieces + 1) if prompts % n == 0)
        raise UserError(
            "rollout.minibatches",
            pieces,
            f"does not divide rollout.prompts={prompts} (a minibatch holds whole prompts).",
            f"Take {near}, or {pieces * max(prompts // pieces, 1)} prompts.",
        )


def _group_size(config: Any) -> None:
    """A baseline from the group needs a group."""
    from hydra.utils import get_class

    target = config.algorithm.estimator._target_
    configuration.check_name("algorithm.estimator._target_", target)
    estimator = get_class(target)
    if estimator.needs_critic and not config.algorithm.critic:
        raise UserError("algorithm.critic", None, f"the advantage of algorithm={config.algorithm.name} needs a critic.")
    for key, least in (("samples", estimator.minimum_samples), ("prompts", estimator.minimum_prompts)):
        if config.rollout[key] < least:
            raise UserError(
                f"rollout.{key}",
                config.rollout[key],
                f"the advantage of algorithm={config.algorithm.name} needs at least {least}.",
            )


def _keywords(node: Any, key: str) -> None:
    """Two methods that fill the same piece merge into one node with the keywords of both."""
    from omegaconf import DictConfig, OmegaConf

    for name in node:
        child = node[name] if not OmegaConf.is_missing(node, name) else None
        if isinstance(child, DictConfig):
            if "_target_" in child:
                _fits(child, f"{key}.{name}")
            _keywords(child, f"{key}.{name}")


def _fits(node: Any, key: str) -> None:
    from hydra.utils import get_object

    configuration.check_name(f"{key}._target_", node._target_)
    known = inspect.signature(get_object(node._target_)).parameters
    foreign = [str(name) for name in node if not str(name).startswith("_") and name not in known]
    if foreign:
        problem = f"does not take {', '.join(foreign)}: two methods fill this piece, and a piece holds one."
        remedy = f"Leave one of them out, or drop the other's keys: ~{key}.{foreign[0]}"
        raise UserError(f"{key}._target_", node._target_, problem, remedy)


def _directions(chosen: Any) -> None:
    """What two methods do to the entropy, or to which tokens they listen, must not cancel."""
    stated = [(method, direction) for method, direction in chosen.items() if direction is not None]
    for method, direction in stated:
        if direction not in DIRECTIONS:
            raise UserError(f"algorithm.directions.{method}", direction, "not one.", f"Choose {', '.join(DIRECTIONS)}.")
    for (one, its), (other, theirs) in combinations(stated, 2):
        reason = CONTRADICTIONS.get((its, theirs)) or CONTRADICTIONS.get((theirs, its))
        if reason:
            problem = f"{one} {its} and {other} {theirs}: {reason}"
            remedy = "Take one of them; algorithm.directions.NAME=null if you mean it."
            raise UserError("algorithm.directions", f"{one},{other}", problem, remedy)
