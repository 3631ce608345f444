"""An engine that answers without a model, and small evaluations of the embedded task."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tvo_cli import config
from tvo_cli.evaluation.pipeline import evaluate_suites
from tvo_cli.evaluation.responses import GradedResponse
from tvo_cli.rollout.engines.engine import Completion

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from tvo_cli.evaluation.generate_and_grade import EvaluatorProgress
    from tvo_cli.rollout.decoding.token_sampling import SamplingParams
    from tvo_cli.rollout.engines.engine import ReportCompletion

MODEL = {"model": "m", "weights": "w", "dtype": "float32", "chat_template": "", "engine": "parrot"}


class Parrot:
    """Answers sample g of key k with the gold when `knows(key, g)`; remembers what it was asked."""

    def __init__(
        self,
        golds: dict[str, str],
        knows: Callable[[str, int], bool] = lambda key, sample: sample % 2 == 0,
        context: int | None = None,
    ) -> None:
        self.golds, self.knows, self.context = golds, knows, context
        self.asked: list[tuple[str, ...]] = []
        self.batches_at_once = 1
        self.fail_after: int | None = None

    def lengths(self, prompts: Sequence[str]) -> list[int]:
        return [len(prompt) for prompt in prompts]

    def __call__(
        self,
        prompts: Sequence[str],
        keys: Sequence[str],
        sampling: SamplingParams,
        seed: int,
        report: ReportCompletion | None = None,
    ) -> list[list[Completion]]:
        if self.fail_after is not None and len(self.asked) >= self.fail_after:
            raise KeyboardInterrupt
        self.asked.append(tuple(keys))
        return [[self._say(key, g) for g in range(sampling.samples)] for key in keys]

    def _say(self, key: str, sample: int) -> Completion:
        answer = self.golds[key] if self.knows(key, sample) else str(int(self.golds[key]) + 1)
        return Completion(f"so \\boxed{{{answer}}}", 3 + sample, True)


@pytest.fixture
def problems(tmp_path: Path) -> Path:
    """Six problems of two levels in a file."""
    path = tmp_path / "six.jsonl"
    rows = [f'{{"id": "p{i}", "question": "{"9" * i}+0?", "answer": "{i}", "level": {1 + i % 2}}}' for i in range(6)]
    path.write_text("\n".join(rows) + "\n")
    return path


@pytest.fixture
def golds() -> dict[str, str]:
    return {f"p{i}": str(i) for i in range(6)}


@pytest.fixture
def asked(problems: Path, tmp_path: Path) -> Callable[..., DictConfig]:
    """The config of an evaluation of the six: four samples each."""

    def make(*overrides: str, folder: str = "run") -> DictConfig:
        base = ["evaluation=[jsonl]", f"path={problems}", f"output_dir={tmp_path / folder}", "decoding.samples=4"]
        return config.compose([*base, "decoding.temperature=1", "rollout.batch_size=8", *overrides], "eval")

    return make


def response(sample: int = 0, **changes: Any) -> GradedResponse:
    """A right response as the journal keeps it, with some fields changed."""
    known: dict[str, Any] = dict(suite="s", id="p", decoding="sampled", sample=sample, seed=1, gold="1")
    known |= dict(level="", subject="", prompt="q", completion="é\ud800", extracted=None, correct=True, reason="equal")
    return GradedResponse(**known | dict(failed=False, tokens=2, finish="stop", seconds=0.5) | changes)


def run(
    config: DictConfig, engine: Parrot, model: dict[str, str] = MODEL, steps: list[EvaluatorProgress] | None = None
) -> dict[str, Any]:
    """The summary of an evaluation without a base model."""
    return evaluate_suites(config, engine, None, model, (steps if steps is not None else []).append)


def same(left: str, right: str) -> bool:
    """The equality of answers that are compared as texts."""
    return left == right


def problem(name: str, answers: list[str | None], gold: str = "1", **known: object) -> list[GradedResponse]:
    """The responses to one problem, a sample each; None: cut off before an answer."""
    made = []
    for i, answer in enumerate(answers):
        end = {"tokens": 10 * (i + 1), "finish": "stop" if answer else "length"}
        made.append(response(i, id=name, extracted=answer, correct=answer == gold, **end, **known))
    return made


ROWS = [
    *problem("a", ["1", "1", "2", "1"], level="1"),
    *problem("b", ["2", "2", "1", None], level="2"),
    *problem("c", ["3", "1", "1", "3"], level="2"),
    *problem("d", [None, None, None, None], level="2"),
]
GREEDY = [row for n in "abcd" for row in problem(n, ["1" if n in "ab" else None], decoding="greedy")]
