"""From problems to a graded batch with advantages: the on-policy half of a step."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from tvo_cli.data.prompts import render
from tvo_cli.model import Policy
from tvo_cli.rollout import generate, truncated_importance
from tvo_cli.training.batch import Batch
from tvo_cli.training.session import Session
from tvo_cli.types import Experience, Problem, Rollout, Verdict


def sample(session: Session, problems: Sequence[Problem]) -> Rollout:
    """G responses to each problem from the current policy; the draw depends on (seed, step, problem, sample) only."""
    policy = session.learner.policy
    prompts = [render(problem, session.prompt, policy.tokenizer) for problem in problems]
    keys = [f"{session.counters.step}/{problem.id}" for problem in problems]
    with session.learner.autocast():
        return generate(policy, prompts, keys, session.sampling, seed=session.seed)


def grade(session: Session, problems: Sequence[Problem], rollout: Rollout) -> tuple[tuple[Verdict, ...], list[float]]:
    """A verdict and a reward for each response; what the grader could not judge gets its group's mean reward."""
    finished = rollout.finished.tolist()
    asked = [problems[p] for p in rollout.group.tolist()]
    verdicts = tuple(session.grader.grade(rollout.texts, asked, finished))
    lengths = rollout.mask.sum(1).tolist()
    rewards = session.rewards.score(verdicts, rollout.texts, lengths, finished)
    return verdicts, _without_failures(rewards, verdicts, rollout.group.tolist())


def _without_failures(rewards: Sequence[float], verdicts: Sequence[Verdict], group: Sequence[int]) -> list[float]:
    """A failure of the grader is no zero: the mean of the group's judged responses teaches nothing either way."""
    judged: dict[int, list[float]] = {}
    for reward, verdict, p in zip(rewards, verdicts, group):
        if not verdict.failed:
            judged.setdefault(p, []).append(reward)
    means = {p: sum(found) / len(found) for p, found in judged.items()}
    return [means.get(p, 0.0) if v.failed else r for r, v, p in zip(rewards, verdicts, group)]


def assemble(
    session: Session,
    problems: Sequence[Problem],
    rollout: Rollout,
    verdicts: tuple[Verdict, ...],
    rewards: Sequence[float],
) -> Batch:
    """Old, reference and critic's view of the responses, then the advantages."""
    old_logp, importance = _old_logp(session, rollout)
    sources = {source: i for i, source in enumerate(sorted({problem.source for problem in problems}))}
    device = rollout.mask.device
    experience = Experience(
        rewards=torch.tensor(rewards, dtype=torch.float32, device=device),
        mask=rollout.mask,
        group=rollout.group,
        source=torch.tensor([sources[problems[p].source] for p in rollout.group.tolist()], device=device),
        old_logp=old_logp,
        ref_logp=_scored(session, session.learner.reference, rollout),
        values=_values(session, rollout),
    )
    advantage = session.learner.algorithm.estimator(experience)
    return Batch(tuple(problems), rollout, verdicts, experience, advantage, importance)


def _old_logp(session: Session, rollout: Rollout) -> tuple[Tensor, Tensor | None]:
    """π_old: the sampler's own log-probabilities in float32, else the trainer's with a truncated correction."""
    if session.limits.old_logp == "sampler":
        return rollout.logp, None
    recomputed = _scored(session, session.learner.policy, rollout)
    if recomputed is None:
        return rollout.logp, None
    return recomputed, truncated_importance(rollout.logp, recomputed, rollout.mask, session.limits.importance_cap)


@torch.no_grad()
def _scored(session: Session, policy: Policy | None, rollout: Rollout) -> Tensor | None:
    """log π of the responses under a policy, in slices of the training micro-batch, [B, T]."""
    if policy is None:
        return None
    rows = session.passes.microbatch_rows or 64
    with session.learner.autocast():
        slices = [
            policy.score(
                *(rollout.prompt_ids[i : i + rows], rollout.prompt_mask[i : i + rows]),
                *(rollout.response_ids[i : i + rows], rollout.mask[i : i + rows]),
                session.passes.temperature,
            ).logp
            for i in range(0, len(rollout.mask), rows)
        ]
    return torch.cat(slices)


@torch.no_grad()
def _values(session: Session, rollout: Rollout) -> Tensor | None:
    critic = session.learner.critic
    if critic is None:
        return None
    columns = (rollout.prompt_ids, rollout.prompt_mask, rollout.response_ids, rollout.mask)
    size = session.passes.microbatch_rows or len(rollout.mask)
    return torch.cat([critic.critic.values(*part) for part in zip(*(column.split(size) for column in columns))])
