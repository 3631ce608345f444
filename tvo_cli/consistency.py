"""What two keys of a configuration must agree on, before anything is loaded: one clear line for each mistake.

What a single key may hold is declared in config/schema and checked first.
"""

from __future__ import annotations

from itertools import combinations
from pathlib import PurePath
from typing import Any

from tvo_cli.config import schema
from tvo_cli.errors import UserError

# Directions that cancel each other (docs/combining.md); a direction beside itself: two hands on one wheel.
CONTRADICTIONS = {
    ("favours uncertain tokens", "favours certain tokens"): "their weights multiply and undo each other.",
    ("raises entropy", "lowers entropy"): "what one adds the other takes away.",
    ("holds entropy", "lowers entropy"): "one gives back what the other takes.",
    ("holds entropy", "holds entropy"): "two controllers with a target each pull one entropy to and fro.",
}
DIRECTIONS = ("limits entropy change", *sorted({one for pair in CONTRADICTIONS for one in pair}))


def check(config: Any) -> None:
    """Raise UserError for the first thing that cannot work."""
    schema.check(config, "train")
    _names(config)
    _division(config)
    _group_size(config)
    _directions(config.algorithm.directions)


def _names(config: Any) -> None:
    """A run's name is a folder's name: it cannot lead out of outputs/."""
    for key in ("experiment_name", "run_name"):
        value = str(config[key])
        parts = PurePath(value).parts
        if not parts or PurePath(value).is_absolute() or ".." in parts or "\0" in value:
            raise UserError(key, value, "leads out of outputs/.", "To choose the folder freely: output_dir=…")


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
    if estimator.needs_critic and not config.algorithm.critic:
        raise UserError("algorithm.critic", None, f"the advantage of algorithm={config.algorithm.name} needs a critic.")
    for key, least in (("samples", estimator.minimum_samples), ("prompts", estimator.minimum_prompts)):
        if config.rollout[key] < least:
            raise UserError(
                f"rollout.{key}",
                config.rollout[key],
                f"the advantage of algorithm={config.algorithm.name} needs at least {least}.",
            )


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
