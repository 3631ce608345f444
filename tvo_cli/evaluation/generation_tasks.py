"""The generation tasks of an evaluation: which completions are missing, and whether they fit the model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tvo_cli.errors import UserError
from tvo_cli.evaluation.protocol import Protocol, completions_per_problem, protocol_decodings
from tvo_cli.evaluation.responses import GradedResponse
from tvo_cli.evaluation.strategy_choice import STRATEGIES, strategy_protocol
from tvo_cli.evaluation.suite import Suite
from tvo_cli.types import Problem

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from tvo_cli.rollout.engines.engine import Engine


@dataclass(frozen=True, slots=True)
class GenerationTask:
    """Some prompts of a suite that are generated the same way."""

    suite: Suite
    decoding: str  # sampled | greedy
    problems: tuple[Problem, ...]
    prompts: tuple[str, ...]
    protocol: Protocol  # the suite's, or that of a strategy


def plan_missing_tasks(
    suites: Sequence[Suite], kept: Sequence[GradedResponse], tokenizer: PreTrainedTokenizerBase | None
) -> tuple[list[GenerationTask], list[GradedResponse]]:
    """What is still to be generated, and the responses that count: those of problems whose samples are all there."""
    have: dict[tuple[str, str, str], list[GradedResponse]] = {}
    for row in kept:
        have.setdefault((row.suite, row.decoding, row.id), []).append(row)
    tasks, counted = [], list[GradedResponse]()
    for suite in suites:
        for decoding in protocol_decodings(suite.protocol):
            needed = completions_per_problem(suite.protocol, decoding)
            whole = {p.id: have.get((suite.name, decoding, p.id), []) for p in suite.problems}
            counted += [row for rows in whole.values() if len(rows) == needed for row in rows]
            missing = tuple(p for p in suite.problems if len(whole[p.id]) != needed)
            tasks += list(_tasks_by_strategy(suite, decoding, missing, tokenizer))
    return tasks, counted


def _tasks_by_strategy(
    suite: Suite, decoding: str, missing: Sequence[Problem], tokenizer: PreTrainedTokenizerBase | None
) -> Iterator[GenerationTask]:
    """The tasks of a suite's missing problems: one for each strategy, or a single one where there are none."""
    for name in (*STRATEGIES, None):
        chosen = suite.strategies
        own = tuple(problem for problem in missing if (chosen[problem.id].name if chosen else None) == name)
        if own:
            protocol = suite.protocol if name is None else strategy_protocol(suite.protocol, name)
            prompts = tuple(protocol.render(problem, tokenizer) for problem in own)
            yield GenerationTask(suite, decoding, own, prompts, protocol)


def check_tasks_fit_context(tasks: Sequence[GenerationTask], engine: Engine) -> None:
    """Before a batch is generated: UserError when a task's prompt and budget do not fit the model."""
    context = engine.context if tasks else None  # which may have to be asked for
    if context is None:
        return
    for task in tasks:
        budget, lengths = task.protocol.max_tokens, engine.lengths(task.prompts)
        longest = max(range(len(lengths)), key=lengths.__getitem__)
        over = lengths[longest] + budget
        if over > context:
            raise UserError(
                "protocol.max_tokens",
                budget,
                f"{task.suite.name}: the prompt of {task.problems[longest].id} has {lengths[longest]} tokens; "
                f"with {budget} for the answer that is {over}, and the model's context is {context}.",
                _remedy_for_task_beyond_context(task.suite.name, context, budget, lengths),
            )


def _remedy_for_task_beyond_context(suite: str, context: int, budget: int, lengths: Sequence[int]) -> str:
    """What to generate instead: less for the answer, or fewer problems; where neither helps, a longer context."""
    most, room = context - max(lengths), context - budget
    long = sum(length > room for length in lengths)
    ways = [f"take at most protocol.max_tokens={most}"] if most > 0 else []
    if long < len(lengths):
        key = f"evaluation.suites.{suite}.dataset.max_prompt_tokens={room}"
        ways.append(f"leave {long} of {len(lengths)} problems out: {key}")
    told = ", or ".join(ways) or "take a model of longer context"
    return f"{told[0].upper()}{told[1:]}."
