"""Checks of what two keys of a config must agree on, before anything is loaded: one line for each mistake.

What a single key may hold is declared in config/schema and checked first.
"""

from __future__ import annotations

from itertools import combinations
from math import comb
from pathlib import PurePath
from statistics import NormalDist
from typing import Any

from tvo_cli.config import schema
from tvo_cli.config.alert_checks import check_alerts
from tvo_cli.config.branching_checks import check_sampling_pieces
from tvo_cli.config.instantiation import target_object
from tvo_cli.config.rank_checks import check_keys_are_used
from tvo_cli.config.readings_checks import check_readings
from tvo_cli.config.reward_checks import check_reward
from tvo_cli.errors import UserError

# Directions that cancel each other (docs/combining.md); or act on the same thing.
CONTRADICTIONS = {
    ("favours uncertain tokens", "favours certain tokens"): "their weights multiply and cancel.",
    ("raises entropy", "lowers entropy"): "one adds what the other removes.",
    ("holds entropy", "lowers entropy"): "one restores what the other removes.",
    ("holds entropy", "holds entropy"): "two controllers with different targets act on one entropy.",
}
OF_OTHER_PROMPTS = "One response a prompt takes a baseline of other prompts: algorithm=tvo, for example."
OF_EVERY_GROUP = "Leave algorithm.sampling at EveryGroup."
DIRECTIONS = ("limits entropy change", *sorted({one for pair in CONTRADICTIONS for one in pair}))


def check_across_keys(config: Any) -> None:
    """Validate a whole config, then what its keys must agree on; raise UserError for the first mistake."""
    check_without_torch(config)
    _check_group_size(config)
    check_sampling_pieces(config)


def check_without_torch(config: Any) -> None:
    """Refuse every mistake that is seen without the algorithm's pieces, whose import loads torch."""
    schema.validate_config(config, "train")
    check_keys_are_used(config.parallel)
    _check_folder_names(config)
    _check_minibatches_divide_batch(config)
    _check_entropy_directions(config.algorithm.directions)
    _check_adapter(config)
    _check_warm_up(config.optimizer, config.algorithm.step_rule)
    _check_refusals(config)
    _check_internal_policy(config)
    _check_self_imitation(config.algorithm)
    _check_next_token(config)
    check_reward(config)
    check_alerts(config.logger)
    check_readings(config)


def _check_folder_names(config: Any) -> None:
    """Refuse a run or experiment name that leads out of outputs/."""
    for key in ("experiment_name", "run_name"):
        value = str(config[key])
        parts = PurePath(value).parts
        if not parts or PurePath(value).is_absolute() or ".." in parts or "\0" in value:
            raise UserError(key, value, "leads out of outputs/.", "To choose the folder freely: output_dir=…")


def _check_minibatches_divide_batch(config: Any) -> None:
    """Refuse rollout.minibatches that do not divide rollout.prompts."""
    prompts, pieces = config.rollout.prompts, config.rollout.minibatches
    if prompts % pieces:
        near = max(n for n in range(1, pieces + 1) if prompts % n == 0)
        raise UserError(
            "rollout.minibatches",
            pieces,
            f"does not divide rollout.prompts={prompts} (a minibatch holds whole prompts).",
            f"Take {near}, or {pieces * max(prompts // pieces, 1)} prompts.",
        )


def _check_group_size(config: Any) -> None:
    """Refuse too few prompts or samples for the advantage estimator, and an estimator without its critic."""
    estimator = target_object("algorithm.estimator._target_", str(config.algorithm.estimator._target_))
    if estimator.needs_critic and not config.algorithm.critic:
        raise UserError("algorithm.critic", None, f"the advantage of algorithm={config.algorithm.name} needs a critic.")
    sampling = target_object("algorithm.sampling._target_", str(config.algorithm.sampling._target_))
    name, samples = config.algorithm.name, config.rollout.samples
    _refuse_fewer_prompts_or_samples(
        "samples", samples, estimator.minimum_samples, f"the advantage of algorithm={name}", OF_OTHER_PROMPTS
    )
    _refuse_fewer_prompts_or_samples(
        "prompts", config.rollout.prompts, estimator.minimum_prompts, f"the advantage of algorithm={name}"
    )
    kept = f"algorithm.sampling={sampling.__name__}, which keeps prompts with right and wrong answers,"
    _refuse_fewer_prompts_or_samples("samples", samples, getattr(sampling, "minimum_samples", 1), kept, OF_EVERY_GROUP)
    if estimator.minimum_samples > 1:
        _check_reward_shapings(config.algorithm, samples)
        _check_responses_differ(config.rollout, name)


def _check_responses_differ(rollout: Any, algorithm: str) -> None:
    """Refuse greedy sampling where the responses to a prompt are compared with each other."""
    if not rollout.temperature:
        problem = f"is greedy: every response to a prompt is the same, and algorithm={algorithm} compares them."
        remedy = "Take a temperature above 0 (1 unless there is a reason)."
        raise UserError("rollout.temperature", rollout.temperature, problem, remedy)


def _check_reward_shapings(algorithm: Any, samples: int) -> None:
    """Refuse a group too small for a shaping to tell its responses apart, where the advantage is within the group."""
    for name, node in (algorithm.get("reward_shaping") or {}).items():
        shaping = target_object(f"algorithm.reward_shaping.{name}._target_", str(node["_target_"]))
        who = f"algorithm.reward_shaping.{name} rewards two responses alike, whatever they answer: it"
        remedy = f"Take more, or algorithm.reward_shaping.{name}=null."
        _refuse_fewer_prompts_or_samples("samples", samples, getattr(shaping, "minimum_samples", 1), who, remedy)


def _refuse_fewer_prompts_or_samples(key: str, value: int, least: int, who: str, remedy: str = "") -> None:
    """Refuse fewer prompts or samples than somebody needs."""
    if value < least:
        raise UserError(f"rollout.{key}", value, f"{who} needs at least {least}.", remedy)


def _check_adapter(config: Any) -> None:
    """Refuse dropout inside an adapter, and quantised weights that would have to train."""
    dropout = config.adapter.get("dropout", 0.0)
    if dropout:
        problem = "the ratio π_θ/π_old would carry its noise, as two forwards of one response would differ."
        raise UserError("adapter.dropout", dropout, problem, "Take 0.")
    quantised = config.model.get("quantise")
    if quantised and config.adapter.kind == "none":
        remedy = "Add adapter=lora, or take model.quantise=null."
        raise UserError(
            "model.quantise", quantised, "quantised weights cannot train; an adapter beside them can.", remedy
        )


def _check_warm_up(optimizer: Any, step_rule: Any) -> None:
    """Refuse two rises at once, of the rate or of the step rule's target: the factors would multiply."""
    rises = {
        "optimizer.warm_up": optimizer.get("warm_up", 0),
        "optimizer.schedule.warm_up": optimizer.schedule.get("warm_up", 0),
        "algorithm.step_rule.schedule.warm_up": (step_rule.get("schedule") or {}).get("warm_up", 0),
    }
    (key, value), *others = [(key, value) for key, value in rises.items() if value] or [("", 0)]
    for other, own in others:
        problem = f"there is {other}={own} besides, and the factors would multiply."
        raise UserError(key, value, problem, "Set one of the two to 0.")


def _check_refusals(config: Any) -> None:
    """Refuse a rule that could never act, and one that would take harder problems for a worse policy."""
    limit, prompts = float(config.stability.refuse), int(config.rollout.prompts)
    if not limit:
        return
    if config.curriculum.kind != "none":
        problem = f"{config.curriculum.kind} changes the problems: a rise of F would not be the policy's."
        raise UserError("curriculum", config.curriculum.kind, problem, "Take curriculum=none, or stability.refuse=0.")
    largest = _largest_z_of_refusal(prompts)
    if largest < limit:
        enough = next((n for n in range(prompts, 200) if _largest_z_of_refusal(n) >= limit), None)
        more = f"at least {enough} prompts, or " if enough else ""
        problem = f"{prompts} prompts against {prompts} show at most {largest:.2f} standard errors: it would never act."
        raise UserError("stability.refuse", config.stability.refuse, problem, f"Take {more}a lower limit.")


def _check_internal_policy(config: Any) -> None:
    """Refuse the sampler's log-probabilities as those of a policy that has not sampled."""
    chosen = config.algorithm.get("internal_policy")
    if chosen and chosen.steps and config.trainer.old_logp == "sampler":
        problem = "the sampler's log-probabilities are the whole network's, and an inner block's policy learns first."
        raise UserError("trainer.old_logp", "sampler", problem, "Take auto.")


def _check_next_token(config: Any) -> None:
    """Refuse demonstrations that would learn another policy than the responses do, or be too few for an update."""
    chosen = config.algorithm.get("next_token")
    if not chosen or not chosen.coefficient:
        return
    if (config.algorithm.get("internal_policy") or {}).get("steps"):
        problem = "an inner block's policy learns first, and demonstrations are learnt by the whole network."
        remedy = "Take algorithm.internal_policy.steps=0, or algorithm.next_token.coefficient=0."
        raise UserError("algorithm.next_token.coefficient", chosen.coefficient, problem, remedy)
    if "next_token" in (config.dataset.get("sources") or {}):
        problem = "is the name of the next-token loss among the objectives."
        raise UserError("dataset.sources.next_token", "…", problem, "Give the source another name.")
    if chosen.rows < config.rollout.minibatches:
        problem = f"leave a minibatch without one: rollout.minibatches={config.rollout.minibatches}."
        raise UserError("algorithm.next_token.rows", chosen.rows, problem, f"Take {config.rollout.minibatches}.")


def _check_self_imitation(chosen: Any) -> None:
    """Refuse beside kept responses what is read of fresh ones alone."""
    if not chosen.get("self_imitation"):
        return
    rule = str(chosen.step_rule._target_)
    kept = "algorithm.self_imitation learns from responses of earlier batches, and"
    if not rule.endswith(".Free"):
        problem = f"{kept} this rule reads how far the policy is from the one that sampled the batch."
        raise UserError("algorithm.step_rule", rule, problem, "Take tvo_cli.optim.Free, or leave self_imitation out.")
    if chosen.critic:
        raise UserError("algorithm.critic", "…", f"{kept} a critic's values of them are not kept.", "Take null.")
    if (chosen.get("internal_policy") or {}).get("steps"):
        problem = f"{kept} those of an inner block's policy would be taken for the whole network's."
        raise UserError("algorithm.internal_policy.steps", chosen.internal_policy.steps, problem, "Take 0.")
    for name in ("old_entropy", "old_covariance", "group_divergence"):
        if chosen.objective.reads.get(name):
            problem = f"{kept} only their log π_old is kept."
            raise UserError(f"algorithm.objective.reads.{name}", True, problem, "Take false, or another method.")


def _largest_z_of_refusal(prompts: int) -> float:
    """The largest z that the key stability.refuse may ask for, by rollout.prompts: that of p = 1/C(2n, n)."""
    return -NormalDist().inv_cdf(max(1 / comb(2 * prompts, prompts), 1e-300))


def _check_entropy_directions(chosen: Any) -> None:
    """Refuse two methods whose effects on the entropy, or on which tokens count, cancel."""
    stated = [(method, direction) for method, direction in chosen.items() if direction is not None]
    for method, direction in stated:
        if direction not in DIRECTIONS:
            raise UserError(
                f"algorithm.directions.{method}", direction, "is no direction.", f"Choose {', '.join(DIRECTIONS)}."
            )
    for (one, its), (other, theirs) in combinations(stated, 2):
        reason = CONTRADICTIONS.get((its, theirs)) or CONTRADICTIONS.get((theirs, its))
        if reason:
            problem = f"{one} {its} and {other} {theirs}: {reason}"
            remedy = "Take one of them; algorithm.directions.NAME=null if you mean it."
            raise UserError("algorithm.directions", f"{one},{other}", problem, remedy)
