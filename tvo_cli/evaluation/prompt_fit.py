"""Suites without prompts that are too long, after a check that the model can read them."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from tvo_cli.errors import UserError
from tvo_cli.evaluation.protocol import OTHERS
from tvo_cli.evaluation.strategy_choice import STRATEGIES, strategy_protocol
from tvo_cli.evaluation.suite import Suite
from tvo_cli.model.prompt_check import PromptReader, PromptSurvey, check_prompts_readable, survey_prompts

log = logging.getLogger("tvo")


def drop_long_suite_prompts(suites: Sequence[Suite], nodes: Mapping[str, Any], reader: PromptReader) -> list[Suite]:
    """The suites without problems whose prompts are longer than their data set's max_prompt_tokens.

    Raises:
        UserError: the model cannot read the prompts of a suite.
    """
    return [
        _drop_long_prompts_of_suite(suite, nodes[suite.name]["dataset"].get("max_prompt_tokens"), reader)
        for suite in suites
    ]


def _check_prompts_of_suite(suite: Suite, reader: PromptReader) -> PromptSurvey:
    """The survey of a suite's prompts, which are checked; where each problem gets a strategy, those of all of them."""
    if not suite.protocol.adapt:
        seen = survey_prompts(suite.problems, lambda problem: suite.protocol.render(problem, reader.tokenizer), reader)
        check_prompts_readable(seen, reader, suite.name)
        return seen
    found: dict[str, PromptSurvey] = {}
    no_suffix = " ".join(("protocol.suffix=''", *(f"protocol.adapt.{name}.suffix=''" for name in OTHERS)))
    for name in STRATEGIES:
        asks = partial(strategy_protocol(suite.protocol, name).render, tokenizer=reader.tokenizer)
        found[name] = survey_prompts(suite.problems, asks, reader)
        check_prompts_readable(found[name], reader, f"{suite.name} ({name})", no_suffix)
    return found["normal"]


def _drop_long_prompts_of_suite(suite: Suite, limit: int | None, reader: PromptReader) -> Suite:
    seen = _check_prompts_of_suite(suite, reader)
    if limit is None:
        return suite
    key = f"evaluation.suites.{suite.name}.dataset.max_prompt_tokens"
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
        raise UserError(key, limit, "is not a number of tokens.", "Give 1 or more, or null.")
    kept = tuple(p for p, length in zip(suite.problems, seen.lengths, strict=True) if length <= limit)
    if not kept:
        longest = f"{seen.ids[seen.longest]}, {seen.lengths[seen.longest]} tokens"
        raise UserError(key, limit, f"leaves out all {len(suite.problems)} problems (longest: {longest}).", "Raise it.")
    if len(kept) < len(suite.problems):
        left_out = len(suite.problems) - len(kept)
        log.warning("%s=%d leaves out %d of %d problems", key, limit, left_out, len(suite.problems))
    return replace(suite, problems=kept)
