"""From graded responses to a rollout batch with advantages: log-probs of old policy and reference, critic's values."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from tvo_cli.model import Policy
from tvo_cli.model.forward_pass.logprobs import Scores, ScoresWithExtras
from tvo_cli.objective.piece_output import per_token_advantage
from tvo_cli.rollout import check_sampler_mismatch, truncated_sampler_correction
from tvo_cli.training.batch import GradedBatch, RolloutBatch, SampledBatch, join_graded_batches
from tvo_cli.training.reward_terms import reward_term_values
from tvo_cli.training.rollout_collection import shaping_inputs
from tvo_cli.training.session import Session
from tvo_cli.types import Experience, Rollout


def assemble_batch(session: Session, drawn: SampledBatch) -> RolloutBatch:
    """Score the sampled responses under the old policy, the reference and the critic; then estimate advantages."""
    graded, beside = _with_tempered_branch(session, drawn)
    problems, rollout = graded.problems, graded.rollout
    old = _score_by_old_policy(session, rollout)
    sources = {source: i for i, source in enumerate(sorted({problem.source for problem in problems}))}
    device = rollout.mask.device
    experience = Experience(
        rewards=torch.tensor(graded.rewards, dtype=torch.float32, device=device),
        mask=_learnt_tokens(session, rollout),
        group=rollout.group,
        source=torch.tensor([sources[problems[p].source] for p in rollout.group.tolist()], device=device),
        old_logp=old.logp,
        ref_logp=_reference_logprobs(session, rollout),
        values=_critic_values(session, rollout),
        old_entropy=old.entropy,
        old_covariance=old.covariance,
        correct=torch.tensor([verdict.correct for verdict in graded.verdicts], device=device),
        response_ids=rollout.response_ids,
        extra=beside if rollout.prefix is None else rollout.prefix > 0,
        opinions=reward_term_values.opinions_of_reward_functions(graded, device),
        step=session.counters.step,
        sources=tuple(sources),
        internal=_is_internal(session),
        whole_ref_logp=_whole_reference_logprobs(session, rollout),
    )
    experience = _with_what_shapings_read(session, graded, experience)
    estimator = session.learner.algorithm.estimator
    advantage = session.weighting.scaled(per_token_advantage(estimator, estimator(experience), experience.mask))
    return RolloutBatch(problems, rollout, graded.verdicts, experience, advantage, drawn, old.importance)


def _learnt_tokens(session: Session, rollout: Rollout) -> Tensor:
    """The tokens that learning counts, bool [B, T]: what a response took over only where its rule says so."""
    branching = session.learner.algorithm.branching
    return rollout.mask if branching is not None and branching.learns_prefix else rollout.sampled


def _with_tempered_branch(session: Session, drawn: SampledBatch) -> tuple[GradedBatch, Tensor | None]:
    """What was chosen, the branch's groups behind it, with log π_old at the run's temperature; and which are those."""
    if drawn.branch is None:
        return drawn.chosen, None
    rollout = drawn.branch.rollout
    logp = _score_rollout(session, session.learner.policy, rollout, covariance=False).scores.logp
    branch = replace(drawn.branch, rollout=replace(rollout, logp=logp))
    joined = join_graded_batches([drawn.chosen, branch], session.learner.policy.pad_id)
    return joined, joined.rollout.group >= len(drawn.chosen.problems)


def _with_what_shapings_read(session: Session, graded: GradedBatch, experience: Experience) -> Experience:
    """The experience with phases, prompts' log-probabilities and group divergences, as far as the algorithm asks."""
    algorithm, policy, rollout = session.learner.algorithm, session.learner.policy, graded.rollout
    if algorithm.thinking_end:
        phase = shaping_inputs.phases_of_responses(rollout, policy.tokenizer, algorithm.thinking_end)
        if session.counters.step == 0:
            shaping_inputs.warn_where_no_thinking_ends(phase, rollout.mask, algorithm.thinking_end)
        experience = replace(experience, phase=phase)
    if algorithm.objective.reads.get("answers", False):
        experience = replace(experience, answer=shaping_inputs.answers_of_groups(session, graded))
    if algorithm.objective.reads.get("group_divergence", False):
        experience = replace(experience, group_divergence=shaping_inputs.divergence_of_groups(session, rollout))
    if algorithm.objective.reads.get("prompt_logp", False):
        prompts = shaping_inputs.prompts_as_responses(rollout)
        logp = _score_rollout(session, policy, prompts, covariance=False).scores.logp
        experience = replace(experience, prompt_logp=logp, prompt_mask=prompts.mask)
    return experience


class _OldPolicy(NamedTuple):
    """What the policy that sampled says of the responses, each [B, T]; None where nobody reads it."""

    logp: Tensor
    importance: Tensor | None
    entropy: Tensor | None
    covariance: Tensor | None


def _score_by_old_policy(session: Session, rollout: Rollout) -> _OldPolicy:
    """log π_old: the sampler's own in float32, else the trainer's with a truncated correction; what else is read."""
    own, algorithm = session.limits.old_logp == "sampler", session.learner.algorithm
    reads, heated = algorithm.objective.reads, algorithm.token_temperature is not None
    wanted, covariance = reads.get("old_entropy", False) or heated, reads.get("old_covariance", False)
    internal = _is_internal(session)
    if own and not wanted and not covariance and not internal:
        return _OldPolicy(rollout.logp, None, None, None)
    policy = session.learner.policy
    scored = _score_rollout(session, policy, rollout, covariance=covariance, internal=internal)
    entropy = scored.scores.entropy if wanted else None
    if internal:  # π_k has sampled nothing: the ratio is to its own start, and there is no sampler to correct for
        if math.isfinite(session.limits.mismatch_limit):
            _check_sampler(session, rollout, _score_rollout(session, policy, rollout, covariance=False).scores.logp)
        return _OldPolicy(scored.scores.logp, None, entropy, scored.covariance)
    if own:
        return _OldPolicy(rollout.logp, None, entropy, scored.covariance)
    recomputed, cap = scored.scores.logp, session.limits.importance_cap
    _check_sampler(session, rollout, recomputed)
    correction = truncated_sampler_correction(rollout.logp, recomputed, rollout.mask, cap)
    return _OldPolicy(recomputed, correction, entropy, scored.covariance)


def _check_sampler(session: Session, rollout: Rollout, recomputed: Tensor) -> None:
    """Refuse a batch whose sampler's log-probabilities are too far from the trainer's."""
    limit, about = session.limits.mismatch_limit, f"step {session.counters.step + 1}"
    check_sampler_mismatch(rollout.logp, recomputed, rollout.mask, limit, about)


def _reference_logprobs(session: Session, rollout: Rollout) -> Tensor | None:
    reference, internal = session.learner.reference, _is_internal(session)
    if reference is None:
        return None
    return _score_rollout(session, reference, rollout, covariance=False, internal=internal).scores.logp


def _whole_reference_logprobs(session: Session, rollout: Rollout) -> Tensor | None:
    """What the whole reference says, where `_reference_logprobs` are those of its inner block."""
    reference = session.learner.reference
    if reference is None or not _is_internal(session):
        return None
    return _score_rollout(session, reference, rollout, covariance=False).scores.logp


def _is_internal(session: Session) -> bool:
    """Whether the batch under way is one that an inner block's policy learns from."""
    return session.learner.algorithm.is_internal_at(session.counters.step)


@torch.no_grad()
def _score_rollout(
    session: Session, policy: Policy, rollout: Rollout, *, covariance: bool, internal: bool = False
) -> ScoresWithExtras:
    """What a policy says of the responses, in slices of the training micro-batch, each [B, T]."""
    columns = (rollout.prompt_ids, rollout.prompt_mask, rollout.response_ids, rollout.mask)
    ids, seen, responses, mask = (column.split(session.passes.scored_rows(rollout)) for column in columns)
    parts = list(zip(ids, seen, responses, mask))
    own = []
    with session.learner.autocast():
        for number, counts in session.ranks.turns(len(parts)):
            heat = session.passes.temperature
            scores = policy.read(*parts[number], heat, covariance=covariance, internal=internal)
            own += [(number, scores)] if counts else []
    found = session.ranks.gather_parts(own, ScoresWithExtras)
    joined = Scores(*(torch.cat(column) for column in zip(*(one.scores for one in found))))
    extra = [one.covariance for one in found if one.covariance is not None]
    return ScoresWithExtras(joined, None, torch.cat(extra) if extra else None)


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
