"""Labels for a difficulty probe: training problems asked several times, graded, and read for entropy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch
from omegaconf import DictConfig
from torch import Tensor

from tvo_cli import config as configuration
from tvo_cli import data
from tvo_cli.data.cursor import order_of_epoch
from tvo_cli.errors import UserError
from tvo_cli.evaluation.generate_and_grade import grade_completions
from tvo_cli.evaluation.protocol import Protocol, sampling_of_protocol
from tvo_cli.evaluation.strategy_choice import LabelThresholds, strategy_label, strategy_protocol
from tvo_cli.evaluation.suite import Suite, few_shot_question_fingerprint
from tvo_cli.model import Policy
from tvo_cli.model.difficulty_probe import prompt_states
from tvo_cli.reward import Grader
from tvo_cli.rollout.generation import generate
from tvo_cli.types import Problem, Rollout


@dataclass(frozen=True, slots=True)
class LabelledQuestions:
    """Training questions with the state of their prompts and their labels, and what labelling has cost."""

    questions: tuple[str, ...]  # fingerprints
    states: Tensor  # float32 [N, H]
    labels: list[str]
    tokens: int  # sampled
    prompt_tokens: int  # read, once a question

    @classmethod
    def joined(cls, parts: Sequence[LabelledQuestions]) -> LabelledQuestions:
        """Those of several suites."""
        return cls(
            tuple(question for part in parts for question in part.questions),
            torch.cat([part.states for part in parts]),
            [label for part in parts for label in part.labels],
            sum(part.tokens for part in parts),
            sum(part.prompt_tokens for part in parts),
        )


class _Answered(NamedTuple):
    """What the samples of some questions show: of each its accuracy and entropy; and the tokens of all."""

    readings: list[tuple[float, float]]
    tokens: int


def label_training_questions(config: DictConfig, policy: Policy, suites: Sequence[Suite]) -> LabelledQuestions:
    """`problems` training questions of each suite's data set, or of protocol.adapt.dataset, labelled.

    Raises:
        UserError: there are no training problems besides those that are asked.
    """
    asked = {few_shot_question_fingerprint(problem.asked) for suite in suites for problem in suite.problems}
    with Grader(config.reward) as grader:
        return LabelledQuestions.joined([_label(config, policy, suite, asked, grader) for suite in suites])


def _label(config: DictConfig, policy: Policy, suite: Suite, asked: set[str], grader: Grader) -> LabelledQuestions:
    adapt, rows = config.protocol.adapt, int(config.rollout.batch_size)
    problems = training_problems(config, suite, asked)
    protocol = strategy_protocol(suite.protocol, "normal")
    protocol = replace(protocol, decoding=replace(protocol.decoding, samples=int(adapt.samples), greedy=False))
    prompts = [str(protocol.render(problem, policy.tokenizer)) for problem in problems]
    states, lengths = prompt_states(policy, prompts, rows)
    readings, tokens = list[tuple[float, float]](), 0
    for chosen in _batches(len(problems), max(1, rows // int(adapt.samples))):
        part = [problems[i] for i in chosen], [prompts[i] for i in chosen]
        found = _answer(policy, protocol, *part, grader, seed=int(config.evaluation.seed), rows=rows)
        readings, tokens = readings + found.readings, tokens + found.tokens
    limits = LabelThresholds(float(adapt.normal_accuracy), float(adapt.normal_entropy), float(adapt.hard_accuracy))
    labels = [strategy_label(accuracy, entropy, limits) for accuracy, entropy in readings]
    known = tuple(few_shot_question_fingerprint(problem.asked) for problem in problems)
    return LabelledQuestions(known, states, labels, tokens, sum(lengths))


def _batches(count: int, size: int) -> Iterator[range]:
    """The ranges of prompts that are labelled at once."""
    return (range(start, min(start + size, count)) for start in range(0, count, size))


def training_problems(config: DictConfig, suite: Suite, asked: set[str]) -> list[Problem]:
    """Questions of the training split that no suite asks, in an order of the seed, each once."""
    adapt, seed = config.protocol.adapt, int(config.evaluation.seed)
    if adapt.dataset:
        node: Any = configuration.compose([f"dataset={adapt.dataset}"]).dataset
    else:
        node = config.evaluation.suites[suite.name].dataset
    name, wanted = str(node.name), int(adapt.problems)
    found = data.load(configuration.resolved_tree(node), split="train", seed=seed)
    size = found.size or wanted + len(suite.problems)
    order = order_of_epoch(seed, 0, size) if found.size else range(size)
    chosen: dict[str, Problem] = {}
    for index in order:
        problem = found.problem(index)
        question = few_shot_question_fingerprint(problem.asked)
        if question not in asked:
            chosen.setdefault(question, problem)
        if len(chosen) == wanted:
            break
    if not chosen:
        reason = f"{name} has no training problem that {suite.name} does not ask."
        remedy = "Name a data set to label: protocol.adapt.dataset=math, for example."
        raise UserError("protocol.adapt.dataset", adapt.dataset, reason, remedy)
    return list(chosen.values())


@torch.no_grad()
def _answer(
    policy: Policy,
    protocol: Protocol,
    problems: Sequence[Problem],
    prompts: Sequence[str],
    grader: Grader,
    *,
    seed: int,
    rows: int,
) -> _Answered:
    """Sample, grade and read a batch of questions."""
    sampling = sampling_of_protocol(protocol, "sampled", rows)
    keys = [f"probe/{problem.id}" for problem in problems]
    rollout = generate(policy, prompts, keys, sampling, seed=seed)
    finished, group = rollout.finished.tolist(), rollout.group.tolist()
    asked = [(problems[p], text, ended) for p, text, ended in zip(group, rollout.texts, finished, strict=True)]
    right = torch.tensor([float(verdict.correct) for verdict in grade_completions(grader, protocol, asked)])
    entropy = _mean_entropies(policy, rollout, sampling.temperature)
    readings = [(float(right[own].mean()), float(entropy[own].mean())) for own in _rows_by_question(group)]
    return _Answered(readings, int(rollout.mask.sum()))


def _mean_entropies(policy: Policy, rollout: Rollout, temperature: float) -> Tensor:
    """The mean token entropy of each response at the temperature that sampled it, nats, [B]."""
    columns = (rollout.prompt_ids, rollout.prompt_mask, rollout.response_ids, rollout.mask)
    entropy = policy.score(*columns, temperature).entropy
    total = torch.where(rollout.mask, entropy, 0.0).sum(1)
    return (total / rollout.mask.sum(1).clamp(min=1)).float().cpu()


def _rows_by_question(group: Sequence[int]) -> list[list[int]]:
    """The rows of the responses to each question that is labelled."""
    found: dict[int, list[int]] = {}
    for row, p in enumerate(group):
        found.setdefault(p, []).append(row)
    return [found[p] for p in sorted(found)]
