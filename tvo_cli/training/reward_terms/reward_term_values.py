"""The values of a reward's terms, one a response: the user's own functions, asked on rank 0, and all others; means.

Of rollout batches and of held-out responses; unweighted.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from tvo_cli.data.prompts import render_prompt
from tvo_cli.evaluation.test_sets import OWN, EvaluatedTestSets, TestSet
from tvo_cli.reward.reward_functions import FunctionRewards, ResponsesToReward
from tvo_cli.reward.reward_sum import Opinions, weighted_reward_sum
from tvo_cli.training.batch import Components, GradedBatch, join_function_rewards
from tvo_cli.types import Problem, Rollout, Verdict

if TYPE_CHECKING:
    from tvo_cli.training.batch import RolloutBatch
    from tvo_cli.training.session import Session

HELDOUT = -1  # the number of the draw that held-out responses are


def reward_by_functions(session: Session, graded: GradedBatch, draw: int = 0) -> GradedBatch:
    """The batch of all ranks with the functions' rewards added: each sees all of it, once, on rank 0."""
    if not session.functions.entries:
        return graded

    def score() -> dict[str, FunctionRewards]:
        policy = session.learner.policy
        shown = [render_prompt(problem, session.prompt, policy.tokenizer) for problem in graded.problems]
        batch = responses_to_reward(shown, graded.problems, graded.rollout, graded.verdicts)
        return session.functions.score(batch, step=session.counters.step + 1, draw=draw)

    components = session.ranks.run_on_first(score, dict[str, FunctionRewards])
    opinions = {name: found.values for name, found in components.items()}
    group = graded.rollout.group.tolist()
    rewards = weighted_reward_sum(opinions, session.functions.weights, group, graded.rewards)
    return replace(graded, rewards=tuple(rewards), components=components)


def reward_heldout_responses(
    session: Session, test_sets: Sequence[TestSet], evaluation: EvaluatedTestSets
) -> dict[str, float]:
    """The mean of each reward component on the run's own held-out responses; of all for a weighting that follows them.

    Nothing where they were not asked this time.
    """
    own = {one.name: one.heldout for one in test_sets}.get(OWN)
    if own is None or not (session.functions.entries or session.weighting.reads_evaluations):
        return {}
    rollout, verdicts = evaluation.by_name[OWN].responses

    def score() -> dict[str, FunctionRewards]:
        batch = responses_to_reward(own.prompts, own.problems, rollout, verdicts)
        return session.functions.score(batch, step=session.counters.step, draw=HELDOUT)

    components = session.ranks.run_on_first(score, dict[str, FunctionRewards])
    opinions = {name: found.values for name, found in components.items()}
    metrics = {f"eval/reward/{name}": mean for name, mean in mean_term_values(opinions).items()}
    terms = terms_of_responses(session, rollout, verdicts, components)
    return metrics | session.weighting.read_evaluation(mean_term_values(terms), session.counters.step)


def responses_to_reward(
    prompts: Sequence[str], problems: Sequence[Problem], rollout: Rollout, verdicts: Sequence[Verdict]
) -> ResponsesToReward:
    """Responses with the prompt and problem of each."""
    group = rollout.group.tolist()
    return ResponsesToReward(
        prompts=[prompts[p] for p in group],
        responses=rollout.texts,
        problems=[problems[p] for p in group],
        verdicts=verdicts,
        lengths=rollout.mask.sum(1).tolist(),
        finished=rollout.finished.tolist(),
    )


def reward_function_metrics(draws: Sequence[Components]) -> dict[str, float]:
    """Mean and population spread of each function over its opinions, the share without one, and failures."""
    metrics: dict[str, float] = {}
    for name, found in join_function_rewards(draws).items():
        stated = [value for value in found.values if value is not None]
        if stated:
            metrics[f"reward/{name}"] = statistics.fmean(stated)
            metrics[f"reward/{name}/std"] = statistics.pstdev(stated)
        metrics[f"reward/{name}/none"] = 1.0 - len(stated) / len(found.values)
        metrics[f"reward/{name}/failed"] = float(found.failed)
    return metrics


def opinions_of_reward_functions(graded: GradedBatch, device: torch.device) -> dict[str, Tensor]:
    """What each of the user's reward functions says, [B]; nan where it has no opinion."""
    return {
        name: torch.tensor([torch.nan if value is None else value for value in found.values], device=device)
        for name, found in graded.components.items()
    }


def terms_of_batch(session: Session, batch: RolloutBatch) -> dict[str, Opinions]:
    """The terms of a rollout batch, a value a response; of a branch's too, which the user's functions have not seen."""
    drawn = batch.drawn
    parts = [drawn.chosen] if drawn.branch is None else [drawn.chosen, drawn.branch]
    components = join_function_rewards([part.components for part in parts])
    return terms_of_responses(session, batch.rollout, batch.verdicts, components)


def terms_of_responses(
    session: Session, rollout: Rollout, verdicts: Sequence[Verdict], components: Components
) -> dict[str, Opinions]:
    """Every term of the reward that has a weight, unweighted, a value a response."""
    lengths, finished = rollout.mask.sum(1).tolist(), rollout.finished.tolist()
    weights = session.functions.weights
    return dict(session.rewards.terms(verdicts, rollout.texts, lengths, finished)) | {
        name: found.values for name, found in components.items() if weights[name]
    }


def mean_term_values(terms: Mapping[str, Opinions]) -> dict[str, float]:
    """The mean of each term over the responses of which it has an opinion; one without any is left out."""
    stated = {name: [value for value in values if value is not None] for name, values in terms.items()}
    return {name: statistics.fmean(values) for name, values in stated.items() if values}
