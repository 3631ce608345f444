"""The held-out problems that a config asks for, and how they are sampled."""

from __future__ import annotations

from dataclasses import replace

from omegaconf import DictConfig

from tvo_cli.config import resolved_tree
from tvo_cli.evaluation import HeldoutSet
from tvo_cli.evaluation.heldout_check import prompts_of_heldout_check as rendered
from tvo_cli.model import Policy
from tvo_cli.reward import Grader
from tvo_cli.rollout import SamplingParams
from tvo_cli.rollout.sampler import LocalSampler, Sampler
from tvo_cli.training.run_data import run_problems as chosen_problems
from tvo_cli.types import Problem


def build_heldout(
    config: DictConfig, policy: Policy, grader: Grader, *, cache_bytes: float = 0.0, sampler: Sampler | None = None
) -> HeldoutSet | None:
    """The held-out set that is evaluated on the way; None where `evaluation.problems` is 0."""
    node = config.evaluation
    if int(node.problems) == 0:
        return None
    return sampled_heldout(
        config,
        policy,
        grader,
        *(int(node.problems), int(node.samples), float(node.temperature)),
        max_tokens=int(node.max_tokens),
        confidence=float(node.confidence),
        seed=int(node.seed),
        cache_bytes=cache_bytes,
        sampler=sampler,
    )


def sampled_heldout(
    config: DictConfig,
    policy: Policy,
    grader: Grader,
    count: int,
    samples: int,
    temperature: float,
    *,
    max_tokens: int | None = None,
    confidence: float = 0.95,
    seed: int = 4242,
    cache_bytes: float = 0.0,
    sampler: Sampler | None = None,
    problems: tuple[Problem, ...] | None = None,
) -> HeldoutSet:
    """Held-out problems of the configured data set, sampled without truncation of the distribution.

    `sampler`: None is the own generation loop. `problems`: None are the first ones of the test split.
    """
    chosen = problems
    if chosen is None:
        chosen = chosen_problems.heldout_problems_of_run(config, policy, seed=seed, count=count, max_tokens=max_tokens)
    sampling = replace(
        SamplingParams.of(config.rollout),
        samples=samples,
        temperature=temperature,
        max_tokens=max_tokens or int(config.rollout.max_tokens),
        top_p=1.0,
        top_k=0,
        cache_bytes=cache_bytes,
    )
    prompts = rendered(chosen, resolved_tree(config.model.prompt), policy)
    return HeldoutSet(chosen, prompts, sampling, grader, confidence, seed, sampler or LocalSampler())
