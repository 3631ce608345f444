"""The problems that a run trains on and is evaluated on: loaded and checked."""

from __future__ import annotations

import logging
from typing import Any

from tvo_cli import data
from tvo_cli.data.mixture import Mixture, check_sources_fill_batch
from tvo_cli.data.problems import ProblemList, Problems
from tvo_cli.errors import FaultList, UserError
from tvo_cli.memory.longest_prompt import are_prompts_at_hand, is_data_elsewhere
from tvo_cli.model import Policy
from tvo_cli.model.loading.context_length import context_length
from tvo_cli.model.loading.tokenizer_loading import load_tokenizer
from tvo_cli.model.prompt_check import PromptReader
from tvo_cli.training.run_data.fitting_problems import (
    PromptedProblems,
    ResponseBudget,
    fit_each_source,
    problems_that_fit,
)
from tvo_cli.training.run_data.heldout_overlap import warn_of_heldout_overlap
from tvo_cli.types import Problem

log = logging.getLogger("tvo")
SAMPLED = 256  # problems of an endless data set that are looked at
ALL = 4096  # problems of a data set that is made as it is read, up to which all are looked at


def select_training_problems(config: Any, policy: Policy | PromptReader, at_once: int = 1) -> Problems:
    """The training problems whose prompts fit, at least `at_once`.

    Raises:
        UserError: the model cannot read them, they are too few, or a prompt and its response do not fit its context;
            with these faults, those of the held-out problems are told.
    """
    problems = data.load(config.dataset, split="train", seed=config.seed)
    budget = ResponseBudget("rollout.max_tokens", int(config.rollout.max_tokens))

    def fitting(node: Any, found: Problems) -> Problems:
        finite = found.size is not None and (_are_training_problems_read(found) or found.size <= ALL)
        return problems_that_fit(
            config, policy, PromptedProblems(node, found, None if finite else SAMPLED, "training"), budget
        )

    faults = FaultList()
    with faults.collect():
        problems = fit_each_source(config.dataset, problems, fitting)
    with faults.collect():
        _check_batch_is_filled(problems, at_once, int(config.rollout.get("minibatches") or 1))
    if faults.found and config.get("evaluation"):
        with faults.collect():
            check_heldout_problems(config, policy)
    faults.refuse()
    return problems


def check_heldout_problems(config: Any, policy: Policy | PromptReader) -> tuple[Problem, ...]:
    """The held-out problems that a run evaluates; refuse those that the model cannot read or hold."""
    node = config.evaluation
    if not int(node.problems):
        return ()
    count, most = int(node.problems), int(node.max_tokens)
    return heldout_problems_of_run(config, policy, seed=int(node.seed), count=count, max_tokens=most)


def _check_batch_is_filled(problems: Problems, at_once: int, minibatches: int) -> None:
    """Refuse fewer problems than a batch takes; as many as are proposed can be cut into the minibatches."""
    if isinstance(problems, Mixture):
        check_sources_fill_batch(problems, at_once)
    if problems.size is not None and at_once > problems.size:
        most = problems.size - problems.size % minibatches or problems.size
        remedy = f"Take rollout.prompts={most} at most, or more data."
        raise UserError("rollout.prompts", at_once, f"there are {problems.size} problems.", remedy)


def heldout_problems_of_run(
    config: Any, policy: Policy | PromptReader, *, seed: int, count: int, max_tokens: int | None
) -> tuple[Problem, ...]:
    """The first `count` held-out problems whose prompts fit; a warning where there are fewer."""
    problems = data.load(config.dataset, split="test", seed=seed)
    budget = ResponseBudget(
        f"{'evaluation' if max_tokens else 'rollout'}.max_tokens", max_tokens or int(config.rollout.max_tokens)
    )
    problems = fit_each_source(
        config.dataset,
        problems,
        lambda node, found: problems_that_fit(config, policy, PromptedProblems(node, found, count, "held-out"), budget),
    )
    return _first_heldout_problems(problems, count)


def _first_heldout_problems(problems: Problems, count: int) -> tuple[Problem, ...]:
    """The problems that a run is evaluated on: the first of the held-out ones, and a warning where they are fewer."""
    found = count if problems.size is None else min(count, problems.size)
    if found < count:
        log.warning("%d problems to evaluate on were asked for, and %s holds out %d", count, problems.name, found)
    return tuple(problems.problem(index) for index in range(found))


def _are_training_problems_read(problems: Problems) -> bool:
    """Whether the training problems were read and not generated: all of their prompts are looked at then."""
    return isinstance(getattr(problems, "problems", problems), ProblemList)


def check_run_problems_without_model(config: Any) -> None:
    """Refuse problems that the run would refuse, all faults in one message, and warn of what it would warn of.

    Nothing where the data are not at hand; where the model is not, its prompts are not looked at.

    Raises:
        UserError: as `select_training_problems`, or the problems cannot follow the curriculum.
    """
    if is_data_elsewhere(config.dataset):
        return
    evaluation = config.evaluation
    if are_prompts_at_hand(config):
        reader = PromptReader(
            str(config.model.path), load_tokenizer(config.model), frozenset(), context=context_length(config.model)
        )
        problems = select_training_problems(config, reader, at_once=int(config.rollout.prompts))
        heldout = check_heldout_problems(config, reader)
    else:
        problems = data.load(config.dataset, split="train", seed=int(config.seed))
        asked = int(evaluation.problems)
        held_out = asked and data.load(config.dataset, split="test", seed=int(evaluation.seed))
        heldout = _first_heldout_problems(held_out, asked) if held_out else ()
    warn_of_heldout_overlap(config, problems, heldout)
    data.check_curriculum(problems, int(config.seed), config.curriculum)
