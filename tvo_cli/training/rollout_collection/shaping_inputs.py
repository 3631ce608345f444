"""What shapings read of a rollout batch besides its scores: phases of responses, prompts' log-probabilities, groups."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from tvo_cli.model.group_divergence import group_divergence
from tvo_cli.stats import cluster_equal_answers
from tvo_cli.training.batch import GradedBatch
from tvo_cli.training.session import Session
from tvo_cli.types import Rollout

log = logging.getLogger("tvo")

THINKING, MARKER, ANSWER = 0, 1, 2


def phases_of_responses(rollout: Rollout, tokenizer: Any, marker: str) -> Tensor:
    """0 on the tokens before the marker that ends the thinking, 1 on the marker's, 2 after it; [B, T].

    A response without the marker is all thinking.
    """
    phases = torch.zeros_like(rollout.response_ids)
    for row, ids in enumerate(rollout.response_ids.cpu()):
        tokens = ids[: int(rollout.mask[row].sum())].tolist()
        start, end = _span_of_marker(tokens, tokenizer, marker)
        phases[row, start:end], phases[row, end:] = MARKER, ANSWER
    return phases


def warn_where_no_thinking_ends(phase: Tensor, mask: Tensor, marker: str) -> None:
    """Say it where no response has the marker: then the whole of each is thinking, and nothing is its answer."""
    if not bool((mask & (phase != THINKING)).any()):
        log.warning(
            "algorithm.thinking_end=%s: no response of the first batch has it, so that the whole of each counts as "
            "thinking. Give the text that ends the thinking of this model.",
            marker,
        )


def _span_of_marker(tokens: list[int], tokenizer: Any, marker: str) -> tuple[int, int]:
    """The first token that reaches into a phase's marker and the first after it; both the length without one."""

    def text(count: int) -> str:
        return str(tokenizer.decode(tokens[:count], skip_special_tokens=False))

    if marker not in text(len(tokens)):
        return len(tokens), len(tokens)
    end = _first_token_count_of_marker(lambda count: marker in text(count), len(tokens))
    place = text(end).index(marker)
    return _first_token_count_of_marker(lambda count: len(text(count)) > place, end) - 1, end


def _first_token_count_of_marker(holds: Any, most: int) -> int:
    """Bisect for a marker: the least count of tokens, `most` at most, from which something holds, as for all larger."""
    low, high = 0, most
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return low


def prompts_as_responses(rollout: Rollout) -> Rollout:
    """Each prompt once, [P, …], as the response to its own first token: what scores its log-probabilities."""
    group, count = rollout.group, int(rollout.group.max()) + 1
    places = torch.arange(len(group), device=group.device)
    rows = places.new_full((count,), len(group)).scatter_reduce(0, group, places, "amin")  # the first of each
    ids, length = rollout.prompt_ids[rows], rollout.prompt_mask[rows].sum(1, keepdim=True)
    width = ids.shape[1]
    columns = torch.arange(width, device=ids.device)
    aligned = ids.gather(1, (columns + width - length).clamp(max=width - 1))
    return replace(
        rollout,
        prompt_ids=aligned[:, :1],
        prompt_mask=torch.ones_like(aligned[:, :1], dtype=torch.bool),
        response_ids=aligned[:, 1:],
        mask=columns[1:] < length,
    )


@torch.no_grad()
def divergence_of_groups(session: Session, rollout: Rollout) -> Tensor:
    """How far the distributions of a prompt's responses are apart at each position, [P, T]; a group a forward."""
    columns = (rollout.prompt_ids, rollout.prompt_mask, rollout.response_ids, rollout.mask)
    groups = [(rollout.group == p).nonzero().squeeze(1) for p in range(int(rollout.group.max()) + 1)]
    own = []
    with session.learner.autocast(), session.learner.policy.gathered():
        for number, counts in session.ranks.turns(len(groups)):
            rows = groups[number]
            ids, seen, responses, mask = (column[rows] for column in columns)
            found = group_divergence(session.learner.policy, (ids, seen, responses, mask), session.passes.temperature)
            own += [(number, found)] if counts else []
    return torch.stack(session.ranks.gather_parts(own, Tensor))


def answers_of_groups(session: Session, graded: GradedBatch) -> Tensor:
    """A number for the answer of each response, [B]: the same for equal answers to one prompt, −1 for none.

    Equal is what the grader finds equal, through other answers too (`cluster_equal_answers`); rank 0 asks it for all.
    """
    group, said = graded.rollout.group, [verdict.extracted for verdict in graded.verdicts]

    def compare() -> list[int]:
        found = [-1] * len(said)
        for p in range(len(graded.problems)):
            rows = (group == p).nonzero().flatten().tolist()
            clusters = cluster_equal_answers([said[row] for row in rows], session.grader.equal)
            number = {spelling: index for index, cluster in enumerate(clusters) for spelling in cluster.spellings}
            for row in rows:
                found[row] = number.get(said[row] or "", -1) if said[row] is not None else -1
        return found

    return torch.tensor(session.ranks.run_on_first(compare, list[int]), device=group.device)
