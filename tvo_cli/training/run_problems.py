"""The problems that a run trains on and those that it is evaluated on: loaded, checked, with warnings about them."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterable
from typing import Any

from tvo_cli import data
from tvo_cli.config import resolved_tree
from tvo_cli.data.problems import ProblemList, Problems
from tvo_cli.data.subset import Subset
from tvo_cli.errors import UserError
from tvo_cli.model import Policy
from tvo_cli.model.prompt_check import PromptReader, PromptSurvey, check_prompts_readable, survey_prompts
from tvo_cli.types import Problem

log = logging.getLogger("tvo")
SAMPLED = 256  # problems of an endless data set that are looked at
ALL = 4096  # problems of a data set that is made as it is read, up to which all are looked at
LIMIT = "dataset.max_prompt_tokens"


def select_training_problems(config: Any, policy: Policy, at_once: int = 1) -> Problems:
    """The training problems whose prompts fit, at least `at_once`.

    Raises:
        UserError: the model cannot read them, they are too few, or a prompt and its response do not fit its context.
    """
    problems = data.load(config.dataset, split="train", seed=config.seed)
    finite = problems.size is not None and (isinstance(problems, ProblemList) or problems.size <= ALL)
    most = None if finite else SAMPLED
    problems = _problems_that_fit(config, policy, problems, most, "training", "rollout", int(config.rollout.max_tokens))
    if problems.size is not None and at_once > problems.size:
        remedy = "Take fewer prompts, or more data."
        raise UserError("rollout.prompts", at_once, f"there are {problems.size} problems.", remedy)
    return problems


def heldout_problems_of_run(
    config: Any, policy: Policy, *, seed: int, count: int, max_tokens: int | None
) -> tuple[Problem, ...]:
    """The first `count` held-out problems whose prompts fit; a warning where there are fewer."""
    problems = data.load(config.dataset, split="test", seed=seed)
    key, budget = ("evaluation", max_tokens) if max_tokens else ("rollout", int(config.rollout.max_tokens))
    problems = _problems_that_fit(config, policy, problems, count, "held-out", key, budget)
    found = count if problems.size is None else min(count, problems.size)
    if found < count:
        log.warning("%d problems to evaluate on were asked for, and %s holds out %d", count, problems.name, found)
    return tuple(problems.problem(index) for index in range(found))


def neutral_word_ids(problems: Problems, policy: Policy) -> tuple[int, ...]:
    """Token ids of words that no reward touches: the gauge of mode collapse on the embedded tasks."""
    words = list(problems.neutral_words)
    return tuple(policy.tokenizer.convert_tokens_to_ids(words)) if words else ()


def warn_of_heldout_overlap(config: Any, training_problems: Problems, heldout_problems: Iterable[Problem]) -> None:
    """Warn of held-out problems that are training problems too; generated data are split by their question."""
    node, asked = config.dataset, {problem.id: _normalized_question_of_run(problem) for problem in heldout_problems}
    if not asked or node["kind"] not in ("jsonl", "hub"):
        return
    trained = {_normalized_question_of_run(problem) for problem in _iterate_problems_of_run(training_problems)}
    both = [name for name, question in asked.items() if question in trained]
    if both:
        log.warning(
            "%d of the %d held-out problems are training problems too (first: %s): pass@1 on them is no measure of "
            "what was learnt%s",
            *(len(both), len(asked), both[0], _cause_of_overlap_in_run(node)),
        )


def _cause_of_overlap_in_run(node: Any) -> str:
    if node["kind"] == "jsonl" and node.get("test_path") and node.get("test_path") == node.get("path"):
        return "; dataset.test_path is dataset.path itself. Leave it out, and dataset.holdout holds rows out"
    return ""


def _normalized_question_of_run(problem: Problem) -> str:
    return " ".join(problem.asked.split())


def _iterate_problems_of_run(problems: Problems) -> Iterable[Problem]:
    return map(problems.problem, range(problems.size or 0))


def _problems_that_fit(
    config: Any, policy: Policy, problems: Problems, most: int | None, of: str, section: str, budget: int
) -> Problems:
    """The problems without those longer than dataset.max_prompt_tokens; the first `most` of them are looked at."""
    reader, limit = PromptReader.of(policy, str(config.model.path)), _max_prompt_tokens_of_run(config.dataset)
    if limit is not None and problems.size is None:
        raise UserError(LIMIT, limit, f"{problems.name} is generated without end.", "Set it to null.")
    ends = (problems.size, most if limit is None else None)
    looked_at = range(min(end for end in ends if end is not None))
    seen = survey_prompts(map(problems.problem, looked_at), _renderer_of_run_problems(config, policy), reader)
    check_prompts_readable(seen, reader, of)
    if limit is not None:
        problems = _run_problems_without_long(problems, seen, limit, of)
    check_responses_fit_context(seen, reader, f"{section}.max_tokens", budget, config.dataset)
    return problems


def _renderer_of_run_problems(config: Any, policy: Policy) -> Callable[[Problem], str]:
    prompt = resolved_tree(config.model.prompt)  # once, not for each problem
    return lambda problem: data.render_prompt(problem, prompt, policy.tokenizer)


def _max_prompt_tokens_of_run(node: Any) -> int | None:
    limit = node.get("max_prompt_tokens")
    if limit is None:
        return None
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
        raise UserError(LIMIT, limit, "is not a number of tokens.", "Give 1 or more, or null.")
    return limit


def _run_problems_without_long(problems: Problems, seen: PromptSurvey, limit: int, of: str) -> Problems:
    kept = [index for index, length in enumerate(seen.lengths) if length <= limit]
    if not len(seen.lengths) - len(kept):
        return problems
    longest, left_out = seen.longest, len(seen.lengths) - len(kept)
    told = f"(longest: {seen.ids[longest]}, {seen.lengths[longest]} tokens)"
    if not kept:
        raise UserError(LIMIT, limit, f"leaves out all {len(seen.lengths)} {of} problems {told}.", "Raise it.")
    log.warning("%s=%d leaves out %d of %d %s problems %s", LIMIT, limit, left_out, len(seen.lengths), of, told)
    return Subset(problems, kept)


def check_responses_fit_context(seen: PromptSurvey, reader: PromptReader, key: str, budget: int, node: Any) -> None:
    """UserError when a prompt that is left in and its response do not fit the model's context."""
    room = (reader.context or sys.maxsize) - budget
    limit = _max_prompt_tokens_of_run(node)
    long = [i for i, length in enumerate(seen.lengths) if length > room and (limit is None or length <= limit)]
    if not long or reader.context is None:
        return
    first = max(long, key=seen.lengths.__getitem__)
    length = seen.lengths[first]
    remedies = [f"take {key}={reader.context - length} at most"] if length < reader.context else []
    if "max_prompt_tokens" in node and len(long) < len(seen.lengths):
        remedies.insert(0, f"leave {len(long)} of {len(seen.lengths)} rows out: {LIMIT}={room}")
    told = "; or ".join(remedies) or "take a model of longer context"
    raise UserError(
        key,
        budget,
        f"problem {seen.ids[first]} has a prompt of {length} tokens; with {budget} for the response that is "
        f"{length + budget}, and the model's context is {reader.context}.",
        f"{told[0].upper()}{told[1:]}.",
    )
