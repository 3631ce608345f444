"""Branched responses: some to each problem from its prompt, the others behind cuts that the algorithm's rule makes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from tvo_cli.rollout import BranchingRule, SamplingParams, join_rollouts
from tvo_cli.rollout.branching.branching_rule import Cut, GrownResponses
from tvo_cli.rollout.branching.word_tokens import word_tokens
from tvo_cli.rollout.response_prefixes import ResponsePrefixes
from tvo_cli.rollout.rollout_slices import select_rows
from tvo_cli.training.session import Session
from tvo_cli.types import Rollout


def sample_branched_responses(
    session: Session, prompts: Sequence[str], keys: Sequence[str], rule: BranchingRule, sampling: SamplingParams
) -> Rollout:
    """G responses to each prompt, those from the prompt itself first. Call it within `policy.gathered()`."""
    policy, samples = session.learner.policy, sampling.samples
    first = replace(sampling, samples=rule.first(samples))
    rollout = session.sampler(policy, prompts, keys, first, seed=session.seed)
    grown = GrownResponses(
        *(rollout, entropies_of_responses(session, rollout), word_tokens(rollout, policy.tokenizer, rule.shortest)),
        keys=keys,
        samples=samples,
        seed=session.seed,
        vocabulary=int(policy.network.config.get_text_config().vocab_size),
    )
    turn = 0
    while len(grown.rollout.texts) < samples * len(prompts):
        cuts = rule.cuts(grown, turn)
        if cuts:
            found = _continue(session, prompts, grown, cuts, turn, sampling)
            grown = _with_responses(session, grown, found, rule)
        turn += 1
    order = grown.rollout.group.sort(stable=True).indices
    return select_rows(grown.rollout, order)


def _with_responses(session: Session, grown: GrownResponses, found: Rollout, rule: BranchingRule) -> GrownResponses:
    """What was sampled before, and behind it what was sampled now."""
    width = max(grown.rollout.mask.shape[1], found.mask.shape[1])
    columns = []
    for held, new in (
        (grown.entropy, entropies_of_responses(session, found)),
        (grown.words, word_tokens(found, session.learner.policy.tokenizer, rule.shortest)),
    ):
        columns.append(torch.cat([torch.nn.functional.pad(one, (0, width - one.shape[1])) for one in (held, new)]))
    whole = join_rollouts([grown.rollout, found], session.learner.policy.pad_id)
    group = torch.cat([grown.rollout.group, found.group])
    return replace(grown, rollout=replace(whole, group=group), entropy=columns[0], words=columns[1])


def _continue(
    session: Session,
    prompts: Sequence[str],
    grown: GrownResponses,
    cuts: Sequence[Cut],
    turn: int,
    sampling: SamplingParams,
) -> Rollout:
    """A response behind each cut. Where every cut has as many, its prefix is read once for all of them."""
    counted, group = Counter(cuts), grown.rollout.group.tolist()
    samples = next(iter(counted.values())) if len(set(counted.values())) == 1 else 1
    places = sorted(counted.elements())[::samples]
    asked, policy = [group[cut.row] for cut in places], session.learner.policy
    numbers = _numbers_in_prompt([(group[cut.row], counted[cut] // samples) for cut in places])
    keys = [f"{grown.keys[p]}/turn {turn}/{number}" for p, number in zip(asked, numbers)]
    prefixes = ResponsePrefixes.of(grown.rollout, [cut.row for cut in places], [cut.at for cut in places])
    shown, each = [prompts[p] for p in asked], replace(sampling, samples=samples)
    found = session.sampler(policy, shown, keys, each, seed=session.seed, prefixes=prefixes)
    return replace(found, group=torch.tensor(asked, device=found.group.device).repeat_interleave(samples))


def _numbers_in_prompt(places: Sequence[tuple[int, int]]) -> list[int]:
    """A number of each place, by its prompt and how many places are behind the same cut; no other prompt counts.

    Where that is the same for every cut of a prompt, the places behind one cut share a number: its samples.
    """
    shared: dict[int, set[int]] = {}
    for p, behind in places:
        shared.setdefault(p, set()).add(behind)
    seen, numbers = Counter[int](), list[int]()
    for p, behind in places:
        numbers.append(seen[p] // behind if len(shared[p]) == 1 else seen[p])
        seen[p] += 1
    return numbers


@torch.no_grad()
def entropies_of_responses(session: Session, rollout: Rollout) -> Tensor:
    """H of the distribution that each token was drawn from, nats, [B, T].

    The rows of one prompt are a forward: what is read of them depends on no other prompt, and so on no rank.
    """
    found = torch.zeros_like(rollout.logp)  # on the policy's device, until all of it is there
    for p in rollout.group.unique().tolist():
        rows = (rollout.group == p).nonzero().flatten()
        columns = (rollout.prompt_ids, rollout.prompt_mask, rollout.response_ids, rollout.mask)
        ids, seen, responses, mask = (column[rows] for column in columns)
        scores = session.learner.policy.score(ids, seen, responses, mask, session.passes.temperature)
        found[rows] = scores.entropy.float()
    return found.cpu()
