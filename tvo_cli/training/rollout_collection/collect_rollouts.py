"""From problems to graded groups: responses are sampled, among all ranks, until the sampling rule has enough."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from tvo_cli.data.cursor import ProblemOutcome
from tvo_cli.data.prompts import render_prompt
from tvo_cli.reward.reward_functions import FunctionRewards
from tvo_cli.rollout import SamplingParams, TemperedBranch, select_prompts
from tvo_cli.training.batch import GradedBatch, SampledBatch, join_graded_batches
from tvo_cli.training.reward_terms.reward_term_values import reward_by_functions
from tvo_cli.training.rollout_collection.branched_responses import sample_branched_responses
from tvo_cli.training.rollout_collection.grade_responses import grade_responses, mean_reward_by_group
from tvo_cli.training.rollout_collection.hold_weights import hold_weights
from tvo_cli.training.session import Session
from tvo_cli.training.stopwatch import Stopwatch
from tvo_cli.types import Problem, Rollout


def sample_batch(session: Session, clock: Stopwatch) -> SampledBatch:
    """Sample and grade groups until the algorithm's sampling rule has enough, or has drawn as often as it may."""
    rule, wanted = session.learner.algorithm.sampling, session.limits.prompts
    draws: list[GradedBatch] = []
    fit: list[list[bool]] = []
    while len(draws) < rule.most and sum(map(sum, fit)) < wanted:
        graded = sample_and_grade_batch(session, clock, wanted * rule.size, len(draws))
        session.cursor.observe(_outcomes_of_problems(graded.from_prompts()))
        right = [None if verdict.failed else verdict.correct for verdict in graded.verdicts]
        draws.append(graded)
        fit.append(rule.fit(right, graded.rollout.group.tolist()))
    found = sum(map(sum, fit))
    if rule.most > 1:
        _alert_shortage_of_groups(session, found, wanted, len(draws))
    chosen = _collect_fit_groups(session, draws, fit, wanted)
    return SampledBatch(chosen, tuple(draws), found, _sample_branch(session, clock, chosen))


def _alert_shortage_of_groups(session: Session, found: int, wanted: int, draws: int) -> None:
    """Say once, when it begins, that the problems no longer give enough groups to learn from."""
    short = found < wanted
    if short and not session.previous.get("sampling/short"):
        text = (
            f"only {found} of {wanted} groups had right and wrong answers after {draws} draws; groups that are all "
            "right or all wrong, and teach nothing, fill the batch up. Take other problems, or more rollout.samples."
        )
        session.tracker.alert("sampling", text, step=session.counters.step + 1)
    session.previous["sampling/short"] = float(short)


def sample_and_grade_batch(session: Session, clock: Stopwatch, prompts: int, number: int) -> GradedBatch:
    """Sample and grade the next problems; of several ranks each a share of them, and all have the whole."""
    hold_weights(session, clock)
    problems = session.ranks.block(session.cursor.take(prompts, session.counters.step))

    def sample_and_grade() -> GradedBatch:
        with clock("generation"):
            rollout = sample_responses(session, problems, number)
        with clock("reward"):
            verdicts, rewards = grade_responses(session, problems, rollout)
        return GradedBatch(tuple(problems), rollout, verdicts, tuple(rewards))

    shares = session.ranks.gather_results(sample_and_grade, GradedBatch)
    for share in (share for rank, share in enumerate(shares) if rank != session.ranks.rank):
        session.grader.count_failures(share.verdicts)
    joined = join_graded_batches(shares, session.learner.policy.pad_id)
    with clock("reward"):
        return reward_by_functions(session, joined, number)


def _outcomes_of_problems(graded: GradedBatch) -> list[ProblemOutcome]:
    """How the responses to each problem were judged; those that the grader could not judge count for nothing."""
    judged = [Counter[bool]() for _ in graded.problems]
    for p, verdict in zip(graded.rollout.group.tolist(), graded.verdicts, strict=True):
        judged[p].update([verdict.correct] if not verdict.failed else [])
    return [ProblemOutcome(problem, count[True], count.total()) for problem, count in zip(graded.problems, judged)]


def _sample_branch(session: Session, clock: Stopwatch, chosen: GradedBatch) -> GradedBatch | None:
    """The groups that the algorithm samples beside the batch, of its first prompts, the same on every rank."""
    rule = session.learner.algorithm.sampling
    if not isinstance(rule, TemperedBranch) or not rule.share:
        return None
    problems = chosen.problems[: rule.extra_prompts(len(chosen.problems))]
    sampling = replace(session.sampling, temperature=session.sampling.temperature * rule.temperature)
    with clock("generation"):
        rollout = sample_responses(session, problems, rule.most, sampling)
    with clock("reward"):
        verdicts, rewards = grade_responses(session, problems, rollout)
    silent = FunctionRewards((None,) * len(verdicts))
    return GradedBatch(problems, rollout, verdicts, tuple(rewards), dict.fromkeys(chosen.components, silent))


def _collect_fit_groups(
    session: Session, draws: Sequence[GradedBatch], fit: Sequence[Sequence[bool]], wanted: int
) -> GradedBatch:
    """The first groups that are fit; where they do not suffice, the first of the others fill the batch up."""
    places = [(number, p) for number, row in enumerate(fit) for p in range(len(row))]
    chosen = sorted(sorted(places, key=lambda place: not fit[place[0]][place[1]])[:wanted])
    if chosen == places and len(draws) == 1 and all(fit[0]):
        return draws[0]
    levelled = [_unfit_groups_at_mean_reward(graded, row) for graded, row in zip(draws, fit)]
    parts = [
        _select_graded_prompts(graded, [p for n, p in chosen if n == number]) for number, graded in enumerate(levelled)
    ]
    return join_graded_batches([part for part in parts if part.problems], session.learner.policy.pad_id)


def _unfit_groups_at_mean_reward(graded: GradedBatch, fit: Sequence[bool]) -> GradedBatch:
    """Groups that are not fit get their mean reward: what only fills a batch up must not teach length or format."""
    group = graded.rollout.group.tolist()
    means = mean_reward_by_group((p, reward) for p, reward in zip(group, graded.rewards))
    return replace(graded, rewards=tuple(r if fit[p] else means[p] for p, r in zip(group, graded.rewards)))


def _select_graded_prompts(graded: GradedBatch, prompts: Sequence[int]) -> GradedBatch:
    rows = [row for row, p in enumerate(graded.rollout.group.tolist()) if p in set(prompts)]
    problems = tuple(graded.problems[p] for p in prompts)
    return replace(graded.of_rows(rows, select_prompts(graded.rollout, prompts)), problems=problems)


def sample_responses(
    session: Session, problems: Sequence[Problem], number: int = 0, sampling: SamplingParams | None = None
) -> Rollout:
    """G responses to each problem from the current policy, for the step's draw `number`.

    What is drawn depends on (seed, step, number, problem, sample) only, and on `sampling` where it is not the run's.
    """
    policy, branching = session.learner.policy, session.learner.algorithm.branching
    again = f"{number}/" if number else ""
    keys = [f"{session.counters.step}/{again}{problem.id}" for problem in problems]
    with session.learner.autocast(), policy.gathered():  # on every rank, whatever one finds in its prompts
        prompts = [render_prompt(problem, session.prompt, policy.tokenizer) for problem in problems]
        sampling = sampling or _sampling_of_batch(session)
        if branching is not None:
            return sample_branched_responses(session, prompts, keys, branching, sampling)
        return session.sampler(policy, prompts, keys, sampling, seed=session.seed)


def _sampling_of_batch(session: Session) -> SamplingParams:
    """The run's, with what the batch before says of the temperature of tokens."""
    temperature = session.learner.algorithm.token_temperature
    return session.sampling if temperature is None else replace(session.sampling, heat=temperature.heat)
