"""The test sets of a run: its own held-out problems and any others, each with its name and its interval."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tvo_cli.evaluation.heldout_check import HeldoutEvaluation, HeldoutSet
from tvo_cli.model import Policy
from tvo_cli.parallel.ranks import Ranks

OWN = ""  # the name of the run's own held-out problems, whose metrics have no name in them


@dataclass(frozen=True, slots=True)
class TestSet:
    """Problems that a run is evaluated on, and how often."""

    __test__ = False  # no test of pytest's

    name: str
    heldout: HeldoutSet
    every: int  # batches between evaluations; 0: only at the start and the end


@dataclass(frozen=True, slots=True)
class EvaluatedTestSets:
    """What an evaluation found on each of the test sets that were asked."""

    by_name: Mapping[str, HeldoutEvaluation]

    def metrics(self) -> dict[str, float]:
        """Named as in docs/metrics.md: `eval/pass@1` of the own problems, `eval/NAME/pass@1` of others."""
        return dict(self._named_metrics())

    @property
    def records(self) -> list[dict[str, object]]:
        """Every completion with its verdict; those of other test sets name theirs."""
        return [
            {"test_set": name, **record} if name else dict(record)
            for name, found in self.by_name.items()
            for record in found.records
        ]

    def score(self, name: str) -> float | None:
        """pass@1 on one test set; None where it was not asked this time."""
        found = self.by_name.get(name)
        return None if found is None else found.accuracy.mean

    def _named_metrics(self) -> Iterator[tuple[str, float]]:
        for name, found in self.by_name.items():
            for metric, value in found.metrics().items():
                yield metric.replace("eval/", f"eval/{name}/", 1) if name else metric, value


def evaluate_test_sets(test_sets: Sequence[TestSet], policy: Policy, ranks: Ranks) -> EvaluatedTestSets:
    """Sample, grade and summarise each test set; of several ranks each samples a share."""
    return EvaluatedTestSets({one.name: one.heldout(policy, ranks) for one in test_sets})
