"""The optional readings of a run (stability.readings): off by default, each with its cost in docs/readings.md."""

from __future__ import annotations

import logging
from collections.abc import Callable

import torch

from tvo_cli.evaluation.support_change import support_metrics
from tvo_cli.evaluation.test_sets import EvaluatedTestSets
from tvo_cli.maths.groups import groups_of
from tvo_cli.model.layer_readings import layer_entropies, pooled_states
from tvo_cli.stability.policy_cliff import policy_cliff_readings
from tvo_cli.stability.spectral_entropy import diffusion_spectral_entropy, median_distance
from tvo_cli.training.metrics.valley_readings import valley_readings
from tvo_cli.training.metrics.weight_box import lion_readings
from tvo_cli.training.readings_state import FrozenRows, microbatches_of_reading, readings_state_of_run
from tvo_cli.training.session import Session
from tvo_cli.training.step_state import StepInProgress
from tvo_cli.training.update.out_of_memory import free_cached_memory

log = logging.getLogger("tvo")


def optional_readings(session: Session, work: StepInProgress) -> dict[str, float]:
    """Those of a step that are switched on; those that cost forwards every `every` steps, from the first on."""
    chosen, found = session.limits.readings, dict[str, float]()
    due = session.counters.step % chosen.every == 0
    if chosen.policy_cliff:
        found |= _policy_cliff(session, work)
    if chosen.layer_entropy and due:
        found |= _read_within_memory("layer_entropy", session, lambda: _layer_entropy(session, work))
    if chosen.spectral_entropy and due:
        found |= _read_within_memory("spectral_entropy", session, lambda: _spectral_entropy(session, work))
    if chosen.lion:
        found |= lion_readings(session.learner.optimizer)
    if chosen.valley:
        state = readings_state_of_run(session)
        found |= _read_within_memory("valley", session, lambda: valley_readings(session, state, work, due=due))
    return found


def _read_within_memory(name: str, session: Session, read: Callable[[], dict[str, float]]) -> dict[str, float]:
    """A reading of the step, or nothing where the GPU has no room for it: the run goes on without."""
    try:
        return read()
    except torch.OutOfMemoryError:
        if session.ranks.count > 1:
            raise  # the others have read it, and all must see the same
    free_cached_memory()
    said = (
        "stability.readings.%s=true: out of memory, not read in step %d; a smaller stability.readings.rows takes less"
    )
    log.warning(said, name, session.counters.step + 1)
    return {}


def support_readings(session: Session, evaluation: EvaluatedTestSets) -> dict[str, float]:
    """Problems kept, gained and lost of each test set since its first evaluation; nothing at that one itself."""
    if not session.limits.readings.support:
        return {}
    state, found = readings_state_of_run(session), dict[str, float]()
    for name, one in evaluation.by_name.items():
        solved = one.solved_problems()
        if name in state.solved:
            place = f"eval/{name}/" if name else "eval/"
            found |= {place + metric: value for metric, value in support_metrics(state.solved[name], solved).items()}
        else:
            state.solved[name] = solved
    return found


def _policy_cliff(session: Session, work: StepInProgress) -> dict[str, float]:
    """The policy cliff of the step's graded groups, of those optional readings."""
    graded, chosen = work.batch.drawn.chosen, session.limits.readings
    group = graded.rollout.group.cpu()
    answers = [
        [graded.verdicts[row].extracted for row in (group == number).nonzero().flatten().tolist()]
        for number in torch.unique(group)
    ]
    return policy_cliff_readings(
        groups_of(torch.tensor(graded.rewards), group),
        answers,
        temperature=chosen.temperature,
        perturbation=chosen.perturbation,
        narrow=chosen.narrow,
    )


def _layer_entropy(session: Session, work: StepInProgress) -> dict[str, float]:
    """Of the batch's first responses, under the weights after its update; a mean over their tokens."""
    rollout, most = work.batch.drawn.chosen.rollout, session.limits.readings.rows
    columns = (rollout.prompt_ids, rollout.prompt_mask, rollout.response_ids, rollout.mask)
    sums, tokens = dict[str, float](), 0
    for part in microbatches_of_reading(min(most, len(rollout.mask)), session.passes.microbatch_rows):
        ids, seen, responses, mask = (column[:most][part] for column in columns)
        with session.learner.autocast():
            found = layer_entropies(session.learner.policy, ids, seen, responses, mask, session.passes.temperature)
        count = int(mask.sum())
        tokens += count
        for number, value in enumerate(found, 1):
            name = f"layer/entropy/{number}"
            sums[name] = sums.get(name, 0.0) + value * count
    return {name: total / max(tokens, 1) for name, total in sums.items()}


def _spectral_entropy(session: Session, work: StepInProgress) -> dict[str, float]:
    """Of the first prompts of the run, whose number of rows and whose σ are those of the first reading."""
    state, chosen = readings_state_of_run(session), session.limits.readings
    if state.prompts is None:
        state.prompts = _first_prompts(work, chosen.rows)
    ids, seen = state.prompts.prompt_ids, state.prompts.prompt_mask
    parts = microbatches_of_reading(len(ids), session.passes.microbatch_rows)
    with session.learner.autocast():
        points = torch.cat([pooled_states(session.learner.policy, ids[part], seen[part]) for part in parts])
    state.width = state.width or median_distance(points)
    if not state.width > 0:
        return {}
    return {"representation/spectral_entropy": diffusion_spectral_entropy(points, state.width, chosen.diffusion_time)}


def _first_prompts(work: StepInProgress, most: int) -> FrozenRows:
    """One row of each of the first prompts."""
    rollout = work.batch.drawn.chosen.rollout
    group = rollout.group.tolist()
    rows = [group.index(number) for number in dict.fromkeys(group)][:most]
    return FrozenRows(
        rollout.prompt_ids[rows].clone(),
        rollout.prompt_mask[rows].clone(),
        rollout.response_ids[rows].clone(),
        rollout.mask[rows].clone(),
    )
