"""How good a model is before and after a fine-tuning: loss on held-out demonstrations, pass@1 on their problems."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from omegaconf import DictConfig

from tvo_cli.data.demonstration_sources import SolvedProblems, load_demonstrations
from tvo_cli.data.problems import ProblemList, Problems
from tvo_cli.errors import UserError
from tvo_cli.evaluation import HeldoutSet
from tvo_cli.experiment.build_heldout import sampled_heldout
from tvo_cli.model import Policy
from tvo_cli.reward import Grader
from tvo_cli.tracking.metrics_file import MetricsFile
from tvo_cli.training.run_data.demonstration_encoding import DemonstrationEncoder, EncodedSequence
from tvo_cli.training.run_data.demonstration_rows import DemonstrationLengthLimit, first_rows
from tvo_cli.training.run_data.fitting_problems import PromptedProblems, ResponseBudget, problems_that_fit
from tvo_cli.training.sft.supervised_fine_tuning import FineTuning, mean_loss
from tvo_cli.types import Problem

log = logging.getLogger("tvo")
SEED = 4242  # of the held-out problems of generated data, and of the samples
HELD_OUT_ROWS = 256  # demonstrations of which the loss is taken, at most


@dataclass(frozen=True, slots=True)
class SFTEvaluation:
    """Held-out demonstrations and problems; either may be none."""

    rows: tuple[EncodedSequence, ...]
    heldout: HeldoutSet | None

    def __call__(self, tuning: FineTuning) -> dict[str, float]:
        """`eval/loss` in nats a learned token, `eval/pass@1` with its interval."""
        tuning.policy.network.eval()
        found = {}
        if self.rows:
            found["eval/loss"] = mean_loss(tuning.policy, self.rows, tuning.settings, tuning.autocast)
        if self.heldout is not None:
            with tuning.autocast():
                found |= self.heldout(tuning.policy).metrics()
        return found


def build_sft_evaluation(
    config: DictConfig, policy: Policy, grader: Grader, encoder: DemonstrationEncoder, limit: DemonstrationLengthLimit
) -> SFTEvaluation:
    """Of the data set's test split; nothing where no row is held out."""
    try:
        held = load_demonstrations(config.dataset, split="test", seed=SEED, append_answer=config.append_answer)
    except UserError as error:
        if not _holds_out_nothing(config):
            raise
        log.warning("nothing is held out, so nothing is evaluated (%s)", error.key)
        return SFTEvaluation((), None)
    rows = first_rows(held, encoder, limit, HELD_OUT_ROWS)
    return SFTEvaluation(tuple(rows), _heldout_problems(config, policy, grader, held))


def record_final_evaluation(folder: Path, step: int, after: Mapping[str, float]) -> None:
    """Write the evaluation after the last step into metrics.jsonl, in place of one that a killed attempt wrote."""
    if not after:
        return
    metrics = MetricsFile(folder / "metrics.jsonl", log.warning)
    metrics.forget_from(step, evaluations=True)
    metrics.append(step, after)
    metrics.sync()
    metrics.close()


def _holds_out_nothing(config: DictConfig) -> bool:
    """Whether a fine-tuning's data set has no held-out problems, on which pass@1 is measured before and after it."""
    return config.dataset.get("holdout") == 0 and not config.dataset.get("test_path")


def _heldout_problems(config: DictConfig, policy: Policy, grader: Grader, held: Problems) -> HeldoutSet | None:
    """The held-out problems that state an answer; None where none does, or none is asked for."""
    count, samples = int(config.problems), int(config.samples)
    if count == 0:
        return None
    if isinstance(held, SolvedProblems):
        return sampled_heldout(config, policy, grader, count, samples, 1.0)
    answered = [found for index in range(held.size or 0) if (found := held.problem(index)).answer]
    if not answered:
        log.warning("no held-out row states an answer, so pass@1 is not measured; the held-out loss is")
        return None
    return sampled_heldout(
        config, policy, grader, count, samples, 1.0, problems=_first_problems_that_fit(config, policy, answered, count)
    )


def _first_problems_that_fit(
    config: DictConfig, policy: Policy, answered: list[Problem], count: int
) -> tuple[Problem, ...]:
    problems = ProblemList(str(config.dataset.name), answered)
    budget = ResponseBudget("rollout.max_tokens", int(config.rollout.max_tokens))
    fit = problems_that_fit(config, policy, PromptedProblems(config.dataset, problems, count, "held-out"), budget)
    return tuple(fit.problem(index) for index in range(min(count, fit.size or 0)))
