"""From graded responses to a rollout batch with advantages: log-probs of old policy and reference, critic's values."""

from __future__ import annotations

import torch
from torch import Tensor

from tvo_cli.model import Policy
from tvo_cli.model.logprobs import Scores
from tvo_cli.objective.piece_output import per_token_advantage
from tvo_cli.rollout import check_sampler_mismatch, truncated_sampler_correction
from tvo_cli.training.batch import RolloutBatch, SampledBatch
from tvo_cli.training.session import Session
from tvo_cli.types import Experience, Rollout


def assemble_batch(session: Session, drawn: SampledBatch) -> RolloutBatch:
    """Score the sampled responses under the old policy, the reference and the critic; then estimate advantages."""
    problems, rollout = drawn.chosen.problems, drawn.chosen.rollout
    old_logp, importance, old_entropy = _old_logprobs(session, rollout)
    sources = {source: i for i, source in enumerate(sorted({problem.source for problem in problems}))}
    device = rollout.mask.device
    experience = Experience(
        rewards=torch.tensor(drawn.chosen.rewards, dtype=torch.float32, device=device),
        mask=rollout.mask,
        group=rollout.group,
        source=torch.tensor([sources[problems[p].source] for p in rollout.group.tolist()], device=device),
        old_logp=old_logp,
        ref_logp=_score_rollout(session, session.learner.reference, rollout)[0],
        values=_critic_values(session, rollout),
        old_entropy=old_entropy,
    )
    estimator = session.learner.algorithm.estimator
    advantage = session.weighting.scaled(per_token_advantage(estimator, estimator(experience), rollout.mask))
    return RolloutBatch(problems, rollout, drawn.chosen.verdicts, experience, advantage, drawn, importance)


def _old_logprobs(session: Session, rollout: Rollout) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """log π_old: the sampler's own in float32, else the trainer's with a truncated correction; H_old where read."""
    own = session.limits.old_logp == "sampler"
    read = session.learner.algorithm.objective.reads.get("old_entropy", False)
    if own and not read:
        return rollout.logp, None, None
    recomputed, entropy = _score_rollout(session, session.learner.policy, rollout)
    if own or recomputed is None:
        return rollout.logp, None, entropy
    cap, about = session.limits.importance_cap, f"step {session.counters.step + 1}"
    check_sampler_mismatch(rollout.logp, recomputed, rollout.mask, session.limits.mismatch_limit, about)
    return (
        recomputed,
        truncated_sampler_correction(rollout.logp, recomputed, rollout.mask, cap),
        entropy if read else None,
    )


@torch.no_grad()
def _score_rollout(session: Session, policy: Policy | None, rollout: Rollout) -> tuple[Tensor | None, Tensor | None]:
    """log π and H of the responses under a policy, in slices of the training micro-batch, each [B, T]."""
    if policy is None:
        return None, None
    columns = (rollout.prompt_ids, rollout.prompt_mask, rollout.response_ids, rollout.mask)
    ids, seen, responses, mask = (column.split(session.passes.scored_rows(rollout)) for column in columns)
    parts = list(zip(ids, seen, responses, mask))
    own = []
    with session.learner.autocast():
        for number, counts in session.ranks.turns(len(parts)):
            scores = policy.score(*parts[number], session.passes.temperature)
            own += [(number, scores)] if counts else []
    found = session.ranks.gather_parts(own, Scores)
    return torch.cat([scores.logp for scores in found]), torch.cat([scores.entropy for scores in found])


@torch.no_grad()
def _critic_values(session: Session, rollout: Rollout) -> Tensor | None:
    """V of every response token, no more rows at once than an update forwards, [B, T]."""
    critic = session.learner.critic
    if critic is None:
        return None
    rows = torch.arange(len(rollout.mask), device=rollout.mask.device)
    parts, own = rows.split(session.passes.forward_rows(rollout)), []
    for number, counts in session.ranks.turns(len(parts)):
        values = critic.values(rollout, parts[number])
        own += [(number, values)] if counts else []
    return torch.cat(session.ranks.gather_parts(own, Tensor))
