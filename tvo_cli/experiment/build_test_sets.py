"""The test sets of a run: its own held-out problems, and those that evaluation.test_sets names."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, replace
from typing import Any

from omegaconf import DictConfig

from tvo_cli import data
from tvo_cli.config import resolved_tree
from tvo_cli.data.mixture import SourceProblems
from tvo_cli.errors import UserError
from tvo_cli.evaluation import HeldoutSet
from tvo_cli.evaluation.heldout_check import prompts_of_heldout_check
from tvo_cli.evaluation.test_sets import OWN, TestSet
from tvo_cli.experiment.build_heldout import build_heldout
from tvo_cli.experiment.keys_of_data import TEST_SETS, keys_of_test_set
from tvo_cli.model import Policy
from tvo_cli.reward import Grader
from tvo_cli.rollout import SamplingParams
from tvo_cli.rollout.sampler import Sampler
from tvo_cli.training.run_data.fitting_problems import PromptedProblems, ResponseBudget, problems_that_fit
from tvo_cli.types import Problem

log = logging.getLogger("tvo")
MOST = 256  # problems of a test set, where neither it nor the run's own evaluation says how many


@dataclass(frozen=True, slots=True)
class EvaluatedBy:
    """What the test sets of a run are built with: who samples and who judges them."""

    policy: Policy
    grader: Grader
    sampler: Sampler
    cache_bytes: float


def build_test_sets(config: DictConfig, by: EvaluatedBy) -> tuple[TestSet, ...]:
    """The run's own held-out problems first, where it has any, then the test sets in their order."""
    own = build_heldout(config, by.policy, by.grader, cache_bytes=by.cache_bytes, sampler=by.sampler)
    found = [] if own is None else [TestSet(OWN, own, int(config.evaluation.every))]
    for name, node in (config.evaluation.test_sets or {}).items():
        _check_name(str(name), config.dataset)
        with keys_of_test_set(str(name)):
            heldout = _heldout_of_test_set(config, by, str(name), node)
        found.append(TestSet(str(name), heldout, int(_stated_by_test_set(config, node, "every"))))
    _deciding_test_set(config, found)
    return tuple(found)


def is_scored_by_evaluation(config: DictConfig, test_sets: tuple[TestSet, ...]) -> bool:
    """Whether the test set that decides which checkpoint is the best is evaluated on the way."""
    deciding = _deciding_test_set(config, test_sets)
    return deciding is not None and deciding.every > 0


def _deciding_test_set(config: DictConfig, found: list[TestSet] | tuple[TestSet, ...]) -> TestSet | None:
    """The test set that `evaluation.best` names; UserError where there is none of that name."""
    named = config.evaluation.best
    chosen = next((one for one in found if one.name == (named or OWN)), None)
    if named and chosen is None:
        known = ", ".join(one.name for one in found if one.name) or "none"
        raise UserError("evaluation.best", named, "is no test set of this run.", f"Test sets: {known}.")
    if chosen is not None and chosen.every == 0 and (named and config.trainer.keep_best):
        remedy = f"Set {TEST_SETS}.{named}.every, or evaluation.every."
        raise UserError("evaluation.best", named, "is evaluated at the start and the end only.", remedy)
    return chosen


def _check_name(name: str, dataset: DictConfig) -> None:
    """Refuse a name that a metric cannot carry, or that another of the run's metrics has."""
    if not re.fullmatch(r"[\w.-]+", name):
        raise UserError(TEST_SETS, name, "is no name for a test set.", "Take letters, digits, '-', '_' and '.'.")
    if dataset.kind == "mixture" and name in dataset.sources:
        problem = "is a source of the mixture too, whose held-out problems are evaluated under that name."
        raise UserError(f"{TEST_SETS}.{name}", name, problem, "Take another name for the test set.")


def _stated_by_test_set(config: DictConfig, node: DictConfig, key: str) -> Any:
    """What a test set states, or else the run's own evaluation."""
    own = node.get(key)
    return config.evaluation[key] if own is None else own


def _heldout_of_test_set(config: DictConfig, by: EvaluatedBy, name: str, node: DictConfig) -> HeldoutSet:
    chosen, tokens = config.evaluation, int(node.get("max_tokens") or node.dataset.max_tokens)
    prompt = _prompt_of_test_set(config, name, node.dataset)
    budget = ResponseBudget(f"{TEST_SETS}.{name}.max_tokens", tokens)
    problems = _problems_of_test_set(config, by.policy, name, node, prompt, budget)
    sampling = replace(
        SamplingParams.of(config.rollout),
        samples=int(_stated_by_test_set(config, node, "samples")),
        temperature=float(_stated_by_test_set(config, node, "temperature")),
        max_tokens=tokens,
        top_p=1.0,
        top_k=0,
        stop=tuple(node.dataset.get("stop") or ()),
        cache_bytes=by.cache_bytes,
    )
    prompts = prompts_of_heldout_check(problems, prompt, by.policy)
    return HeldoutSet(problems, prompts, sampling, by.grader, float(chosen.confidence), int(chosen.seed), by.sampler)


def _problems_of_test_set(
    config: DictConfig, policy: Policy, name: str, node: DictConfig, prompt: Any, budget: ResponseBudget
) -> tuple[Problem, ...]:
    """The first problems of the data set's test split that fit."""
    loaded = data.load(node.dataset, split="test", seed=int(config.evaluation.seed))
    count = int(node.get("problems") or config.evaluation.problems or MOST)
    asked = PromptedProblems(node.dataset, SourceProblems(name, loaded, node.dataset), count, name, prompt)
    fit = problems_that_fit(config, policy, asked, budget)
    found = count if fit.size is None else min(count, fit.size)
    if node.get("problems") and found < count:
        log.warning("%d problems of test set %s were asked for, and it has %d", count, name, found)
    return tuple(fit.problem(index) for index in range(found))


def _prompt_of_test_set(config: DictConfig, name: str, dataset: DictConfig) -> dict[str, Any]:
    """The run's prompt; where its suffix is its data set's, the test set's own suffix stands in its place."""
    prompt: dict[str, Any] = dict(resolved_tree(config.model.prompt))
    if prompt.get("suffix") == config.dataset.suffix:
        prompt["suffix"] = None
    if dataset.get("template") and dataset.template != prompt["template"]:
        log.warning("test set %s asks for the template %s; the run's is %s", name, dataset.template, prompt["template"])
    return prompt
