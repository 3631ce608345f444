"""Checks of how responses are sampled: what branches and temperatures of tokens cannot stand beside."""

from __future__ import annotations

from typing import Any

from tvo_cli.config.instantiation import build, target_object
from tvo_cli.errors import UserError

BRANCHING, HEAT = "algorithm.branching", "algorithm.token_temperature"
SECOND = "TemperedBranch samples some prompts once more at another temperature"


def check_sampling_pieces(config: Any) -> None:
    """Refuse branches, and temperatures of tokens, where they would not do what they are for."""
    algorithm, rollout = config.algorithm, config.rollout
    sampling = target_object("algorithm.sampling._target_", str(algorithm.sampling._target_)).__name__
    for key, piece in ((BRANCHING, algorithm.get("branching")), (HEAT, algorithm.get("token_temperature"))):
        if not piece:
            continue
        name = str(piece["_target_"]).rpartition(".")[2]
        if sampling == "TemperedBranch":
            raise UserError(key, name, f"{SECOND}: what is learnt of it knows one way to sample.", "Take one of them.")
        _check_apart(algorithm, key, name)
        if not rollout.temperature:
            problem = "rollout.temperature=0 is greedy: every response to a prompt is the same."
            raise UserError(key, name, problem, "Take a temperature above 0.")
    if sampling == "TemperedBranch" and algorithm.sampling.share:
        _check_estimator_of_tempered_branch(algorithm)
    if algorithm.get("branching"):
        _check_branching(config, str(algorithm.branching["_target_"]).rpartition(".")[2])
    if algorithm.get("token_temperature") and rollout.get("engine"):
        problem = "vLLM samples a response at one temperature: it cannot follow the entropy of each token."
        raise UserError(
            "rollout.engine", rollout.engine, f"{HEAT}: {problem}", f"Take rollout=default, or {HEAT}=null."
        )


def _check_estimator_of_tempered_branch(algorithm: Any) -> None:
    """Refuse a baseline or scale of the whole batch, which would be of two policies."""
    target = str(algorithm.estimator._target_)
    if getattr(build(algorithm.estimator), "of_whole_batch", False):
        problem = f"{SECOND}, and this takes its baseline or scale over all prompts, hot ones and others alike."
        remedy = "Take one of a prompt's own group, as tvo_cli.advantage.GroupNormalised."
        raise UserError("algorithm.estimator", target.rpartition(".")[2], problem, remedy)


def _check_apart(algorithm: Any, key: str, name: str) -> None:
    """Refuse beside it what takes every response as sampled whole, by one policy at one temperature."""
    if algorithm.get("self_imitation"):
        problem = "algorithm.self_imitation keeps whole responses, sampled at one temperature, to learn from again."
        raise UserError(key, name, problem, "Take one of them.")
    if (algorithm.get("internal_policy") or {}).get("steps"):
        problem = "algorithm.internal_policy learns first, and the entropy that this goes by would be its own."
        raise UserError(key, name, problem, "Take one of them.")


def _check_branching(config: Any, name: str) -> None:
    """Refuse branching where its responses could not share their first tokens, or are not learnt from."""
    if int(config.rollout.samples) == 1:
        problem = f"{name} lets responses to one prompt share their first tokens, and there is one response to each."
        raise UserError("rollout.samples", 1, problem, f"Take more rollout.samples, or {BRANCHING}=null.")
    if config.algorithm.critic:
        problem = "a critic's advantages go from token to token, and those that a branch took over are not learnt from."
        raise UserError(BRANCHING, name, problem, "Take an algorithm without algorithm.critic.")
    if config.rollout.get("engine") and config.rollout.stop:
        problem = "vLLM looks for rollout.stop in what it samples itself: one that a cut divides would be missed."
        raise UserError(BRANCHING, name, problem, "Take rollout.stop=[], or rollout=default.")
