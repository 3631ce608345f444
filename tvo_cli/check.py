"""What can be said of a configuration before anything is loaded: one clear line for each mistake."""

from __future__ import annotations

from typing import Any

from tvo_cli.errors import UserError

POSITIVE = (
    *("trainer.steps", "rollout.prompts", "rollout.samples", "rollout.epochs", "rollout.minibatches"),
    *("rollout.max_tokens", "optimizer.lr", "optimizer.clip_norm", "evaluation.samples"),
)
NOT_NEGATIVE = (
    *("trainer.checkpoint_every", "trainer.microbatch_rows", "trainer.variance_parts", "evaluation.every"),
    *("evaluation.problems", "rollout.temperature", "rollout.top_k"),
)
CHOICES = {
    "stability.on_collapse": ("warn", "stop", "rollback"),
    "trainer.resume": ("auto", "never", "must"),
    "trainer.old_logp": ("auto", "sampler", "trainer"),
}


def check(config: Any) -> None:
    """Raise UserError for the first thing that cannot work."""
    _numbers(config)
    _choices(config)
    _division(config)
    _group_size(config)


def _select(config: Any, key: str) -> Any:
    for part in key.split("."):
        config = config[part]
    return config


def _numbers(config: Any) -> None:
    for key in (*POSITIVE, *NOT_NEGATIVE):
        value = _select(config, key)
        least = "more than 0" if key in POSITIVE else "at least 0"
        wrong = not isinstance(value, int | float) or isinstance(value, bool)
        if wrong or value < 0 or (key in POSITIVE and value == 0):
            raise UserError(key, value, f"must be a number, {least}.")
    top_p = _select(config, "rollout.top_p")
    if not 0.0 < float(top_p) <= 1.0:
        raise UserError("rollout.top_p", top_p, "must lie in (0, 1].")


def _choices(config: Any) -> None:
    for key, offered in CHOICES.items():
        value = _select(config, key)
        if value not in offered:
            raise UserError(key, value, "not a choice.", f"Choose {', '.join(offered)}.")


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

    estimator = get_class(config.algorithm.estimator._target_)
    for key, least in (("samples", estimator.minimum_samples), ("prompts", estimator.minimum_prompts)):
        if config.rollout[key] < least:
            raise UserError(
                f"rollout.{key}",
                config.rollout[key],
                f"the advantage of algorithm={config.algorithm.name} needs at least {least}.",
            )
