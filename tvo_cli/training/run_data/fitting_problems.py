"""Whether the prompts of a run fit: what the model cannot read or hold is refused, or left out where that is asked."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

from tvo_cli import data
from tvo_cli.config import resolved_tree
from tvo_cli.data.mixture import Mixture, Source, keys_of_source
from tvo_cli.data.problems import Problems
from tvo_cli.data.subset import Subset
from tvo_cli.errors import FaultList, UserError
from tvo_cli.model import Policy
from tvo_cli.model.prompt_check import PromptReader, PromptSurvey, check_prompts_readable, survey_prompts
from tvo_cli.types import Problem

log = logging.getLogger("tvo")
LIMIT = "dataset.max_prompt_tokens"


class PromptedProblems(NamedTuple):
    """Problems of a data set, and how they are asked."""

    node: Any  # the data set's
    problems: Problems
    most: int | None  # so many of them are looked at; None: all
    of: str  # what they are for, in messages
    prompt: Any = None  # as model.prompt; None: the run's


class ResponseBudget(NamedTuple):
    """Tokens that a response may have, and the key that says so."""

    key: str
    tokens: int


def problems_that_fit(
    config: Any, policy: Policy | PromptReader, asked: PromptedProblems, budget: ResponseBudget | None
) -> Problems:
    """The problems without those longer than dataset.max_prompt_tokens; the first `most` of them are looked at.

    Raises:
        UserError: the model cannot read them, all are too long, or responses do not fit; all faults in one.
    """
    problems, most, of = asked.problems, asked.most, asked.of
    reader, limit = PromptReader.of(policy, str(config.model.path)), _max_prompt_tokens_of_run(asked.node)
    if limit is not None and problems.size is None:
        raise UserError(LIMIT, limit, f"{problems.name} is generated without end.", "Set it to null.")
    ends = (problems.size, most if limit is None else None)
    looked_at = range(min(end for end in ends if end is not None))
    render = _renderer_of_run_problems(asked.prompt or config.model.prompt, reader.tokenizer)
    seen = survey_prompts(map(problems.problem, looked_at), render, reader)
    faults = FaultList()
    with faults.collect():
        check_prompts_readable(seen, reader, of)
    with faults.collect():
        problems = problems if limit is None else _run_problems_without_long(problems, seen, limit, of)
    with faults.collect():
        if budget is not None:
            check_responses_fit_context(seen, reader, budget.key, budget.tokens, asked.node)
    faults.refuse()
    return problems


def _renderer_of_run_problems(node: Any, tokenizer: Any) -> Callable[[Problem], str]:
    prompt = resolved_tree(node)  # once, not for each problem
    return lambda problem: data.render_prompt(problem, prompt, tokenizer)


def _max_prompt_tokens_of_run(node: Any) -> int | None:
    """The limit beyond which a prompt of the run's problems is left out, checked; None: there is none."""
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
    if "max_prompt_tokens" in node and room >= 1 and any(length <= room for length in seen.lengths):
        remedies.insert(0, f"leave {len(long)} of {len(seen.lengths)} rows out: {LIMIT}={room}")
    told = "; or ".join(remedies) or "take a model of longer context"
    raise UserError(
        key,
        budget,
        f"problem {seen.ids[first]} has a prompt of {length} tokens; with {budget} for the response that is "
        f"{length + budget}, and the model's context is {reader.context}.",
        f"{told[0].upper()}{told[1:]}.",
    )


def fit_each_source(node: Any, problems: Problems, fit: Callable[[Any, Problems], Problems]) -> Problems:
    """What `fit` leaves of the problems; of a mixture, of each source by that source's own node."""
    if not isinstance(problems, Mixture):
        return fit(node, problems)

    def fit_source(source: Source) -> Problems:
        with keys_of_source(source.name):
            return fit(node.sources[source.name], source.problems)

    return problems.with_problems(fit_source)
