"""From responses to verdicts and rewards; what the grader could not judge gets the mean reward of its group."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tvo_cli.training.session import Session
from tvo_cli.types import Problem, Rollout, Verdict


def grade_responses(
    session: Session, problems: Sequence[Problem], rollout: Rollout
) -> tuple[tuple[Verdict, ...], list[float]]:
    """A verdict and a reward for each response; what the grader could not judge gets its group's mean reward."""
    finished = rollout.finished.tolist()
    asked = [problems[p] for p in rollout.group.tolist()]
    verdicts = tuple(session.grader.grade(rollout.texts, asked, finished))
    lengths = rollout.mask.sum(1).tolist()
    rewards = session.rewards.score(verdicts, rollout.texts, lengths, finished)
    return verdicts, _rewards_with_failures_at_group_mean(rewards, verdicts, rollout.group.tolist())


def _rewards_with_failures_at_group_mean(
    rewards: Sequence[float], verdicts: Sequence[Verdict], group: Sequence[int]
) -> list[float]:
    """The rewards, where the grader failed the mean of the group's judged responses: 0 would teach, that does not."""
    means = mean_reward_by_group(
        (p, reward) for reward, verdict, p in zip(rewards, verdicts, group) if not verdict.failed
    )
    return [means.get(p, 0.0) if v.failed else r for r, v, p in zip(rewards, verdicts, group)]


def mean_reward_by_group(rewards: Iterable[tuple[int, float]]) -> dict[int, float]:
    """Mean reward of each group, of (group, reward) pairs of the responses that count."""
    found: dict[int, list[float]] = {}
    for p, reward in rewards:
        found.setdefault(p, []).append(reward)
    return {p: sum(values) / len(values) for p, values in found.items()}
