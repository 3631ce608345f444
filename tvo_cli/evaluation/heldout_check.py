"""pass@1 on held-out problems, with its interval, by the run's own grader."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch

from tvo_cli.data.prompts import render_prompt
from tvo_cli.model import Policy
from tvo_cli.parallel.ranks import Ranks
from tvo_cli.reward import Grader
from tvo_cli.rollout import SamplingParams, join_rollouts
from tvo_cli.rollout.sampler import LocalSampler, Sampler
from tvo_cli.stats import ConfidenceInterval, clustered_interval
from tvo_cli.types import Problem, Rollout, Verdict


class HeldoutResponses(NamedTuple):
    """Responses to problems, or to a rank's share of them, and what the grader says of them."""

    rollout: Rollout
    verdicts: tuple[Verdict, ...]


@dataclass(frozen=True, slots=True)
class HeldoutEvaluation:
    """What an evaluation found; `records` hold every completion with its verdict."""

    accuracy: ConfidenceInterval  # pass@1, clustered by problem
    any_correct: float  # pass@k with k = samples
    samples: int
    problems: int
    length: float  # mean response tokens
    truncated: float
    unanswered: float
    grader_failed: int
    records: tuple[dict[str, object], ...]
    responses: HeldoutResponses
    sources: Mapping[str, ConfidenceInterval] = field(default_factory=dict)  # pass@1 of each source of a mixture

    def metrics(self) -> dict[str, float]:
        """Named as in docs/metrics.md."""
        return {
            "eval/pass@1": self.accuracy.mean,
            "eval/pass@1_low": self.accuracy.low,
            "eval/pass@1_high": self.accuracy.high,
            f"eval/pass@{self.samples}": self.any_correct,
            "eval/length": self.length,
            "eval/truncated": self.truncated,
            "eval/unanswered": self.unanswered,
            "eval/grader_failed": float(self.grader_failed),
        } | {
            f"eval/{name}/pass@1{end}": value
            for name, found in self.sources.items()
            for end, value in (("", found.mean), ("_low", found.low), ("_high", found.high))
        }

    def solved_problems(self) -> dict[str, bool]:
        """By problem, whether any sample was right."""
        found: dict[str, bool] = {}
        for record in self.records:
            name = str(record["id"])
            found[name] = found.get(name, False) or bool(record["correct"])
        return found


@dataclass(frozen=True, slots=True)
class HeldoutSet:
    """A fixed set of problems and a fixed way to sample them: the same at every evaluation of a run."""

    problems: tuple[Problem, ...]
    prompts: tuple[str, ...]
    sampling: SamplingParams
    grader: Grader
    confidence: float
    seed: int
    sampler: Sampler = field(default_factory=LocalSampler)

    def __call__(self, policy: Policy, ranks: Ranks | None = None) -> HeldoutEvaluation:
        """Sample, grade, summarise; of several ranks each samples a share of the problems, and all have the whole."""
        ranks = ranks or Ranks()
        shares = ranks.gather_results(lambda: self._evaluate_share(policy, ranks), list[HeldoutResponses])
        for share in (share for rank, share in enumerate(shares) if rank != ranks.rank):
            self.grader.count_failures([verdict for part in share for verdict in part.verdicts])
        parts = [part for share in shares for part in share]
        rollout = parts[0].rollout if len(parts) == 1 else join_rollouts([p.rollout for p in parts], policy.pad_id)
        verdicts = [verdict for part in parts for verdict in part.verdicts]
        return _summarise_heldout_check(self.problems, rollout, verdicts, self.sampling.samples, self.confidence)

    def _evaluate_share(self, policy: Policy, ranks: Ranks) -> list[HeldoutResponses]:
        """This rank's share, as one; none where there are fewer problems than ranks."""
        problems, prompts = ranks.block(self.problems), ranks.block(self.prompts)
        with torch.no_grad(), policy.gathered():  # on every rank, also on one without a problem
            if not problems:
                return []
            keys = [problem.id for problem in problems]
            rollout = self.sampler(policy, prompts, keys, self.sampling, seed=self.seed)
        asked = [problems[p] for p in rollout.group.tolist()]
        return [HeldoutResponses(rollout, tuple(self.grader.grade(rollout.texts, asked, rollout.finished.tolist())))]


def prompts_of_heldout_check(problems: Sequence[Problem], prompt: Mapping[str, Any], policy: Policy) -> tuple[str, ...]:
    """The problems as the model is shown them."""
    return tuple(render_prompt(problem, prompt, policy.tokenizer) for problem in problems)


def _summarise_heldout_check(
    problems: Sequence[Problem], rollout: Rollout, verdicts: Sequence[Verdict], samples: int, confidence: float
) -> HeldoutEvaluation:
    correct = torch.tensor([verdict.correct for verdict in verdicts], dtype=torch.float64).view(-1, samples)
    return HeldoutEvaluation(
        accuracy=clustered_interval(correct.tolist(), confidence),
        any_correct=float(correct.amax(1).mean()),
        samples=samples,
        problems=len(problems),
        length=float(rollout.mask.sum(1).float().mean()),
        truncated=float((~rollout.finished).float().mean()),
        unanswered=sum(verdict.extracted is None for verdict in verdicts) / len(verdicts),
        grader_failed=sum(verdict.failed for verdict in verdicts),
        records=tuple(_heldout_records(problems, rollout, verdicts, samples)),
        responses=HeldoutResponses(rollout, tuple(verdicts)),
        sources=_intervals_of_sources(problems, correct.tolist(), confidence),
    )


def _intervals_of_sources(
    problems: Sequence[Problem], correct: Sequence[Sequence[float]], confidence: float
) -> dict[str, ConfidenceInterval]:
    """pass@1 of each source, clustered by problem; nothing where all problems are of one."""
    rows: dict[str, list[Sequence[float]]] = {}
    for problem, own in zip(problems, correct, strict=True):
        rows.setdefault(problem.source, []).append(own)
    return {name: clustered_interval(own, confidence) for name, own in rows.items()} if len(rows) > 1 else {}


def _heldout_records(
    problems: Sequence[Problem], rollout: Rollout, verdicts: Sequence[Verdict], samples: int
) -> list[dict[str, object]]:
    lengths = rollout.mask.sum(1).tolist()
    return [
        {
            "id": problems[row // samples].id,
            "sample": row % samples,
            "gold": problems[row // samples].answer,
            "completion": rollout.texts[row],
            "extracted": verdict.extracted,
            "correct": verdict.correct,
            "reason": verdict.reason,
            "tokens": lengths[row],
            "finished": bool(rollout.finished[row]),
        }
        for row, verdict in enumerate(verdicts)
    ]
