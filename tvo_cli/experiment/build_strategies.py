"""The strategies of `protocol=diffadapt`: each problem's, by a probe that is trained or taken from an evaluation."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from tvo_cli import config as configuration
from tvo_cli.errors import UserError
from tvo_cli.evaluation.strategy_choice import STRATEGIES, ChosenStrategy
from tvo_cli.evaluation.suite import Suite, few_shot_question_fingerprint
from tvo_cli.experiment.strategy_probe import FACTS, chosen_strategies, read_probe_facts, train_strategy_probe
from tvo_cli.file_digest import file_sha256
from tvo_cli.model import Policy
from tvo_cli.model.difficulty_probe import NAME, DifficultyProbe, prompt_states

log = logging.getLogger("tvo")
Strategies = tuple[list[Suite], dict[str, Any]]


def check_adaptive_engine(config: DictConfig) -> None:
    """Refuse an engine outside of this process, which hands out no hidden states.

    Raises:
        UserError: protocol.adapt with another engine, or with a second model.
    """
    engine = config.rollout.get("engine")
    if config.protocol.get("adapt") and engine:
        problem = "does not hand out the hidden states that protocol.adapt reads."
        raise UserError("rollout", engine, problem, "Take rollout=default.")
    if config.protocol.get("adapt") and config.protocol.get("switch"):
        problem = "chooses by one model's states, and protocol.switch has two models write."
        raise UserError("protocol.adapt", "…", problem, "Take one of them.")


@dataclass(frozen=True, slots=True)
class StrategyChooser:
    """Gives each problem of the suites its strategy."""

    config: DictConfig
    policy: Policy
    weights: str | None  # fingerprint of the model's

    def __call__(self, suites: Sequence[Suite]) -> Strategies:
        """The suites with a strategy for each problem, and what is recorded of the probe."""
        named = self.config.protocol.adapt.probe
        folder = Path(str(named)) if named else Path(self.config.output_dir)
        if not named and not (folder / FACTS).is_file():
            train_strategy_probe(self.config, self.policy, suites, folder, self.weights)
        facts = read_probe_facts(folder)
        self._check_origin(folder, facts, suites)
        size = self.policy.network.config.get_text_config().hidden_size
        probe = DifficultyProbe.load(folder, size, len(STRATEGIES))
        recorded = {name: value for name, value in facts.items() if name != "questions"}
        return [self._chosen(suite, probe) for suite in suites], recorded | {"sha256": file_sha256(folder / NAME)}

    def _check_origin(self, folder: Path, facts: Mapping[str, Any], suites: Sequence[Suite]) -> None:
        """Refuse a probe that has learnt a question that is asked; say that it has learnt another model's states."""
        asked = {few_shot_question_fingerprint(problem.asked) for suite in suites for problem in suite.problems}
        if known := asked & set(facts["questions"]):
            problem = f"its probe has learnt {len(known)} of the problems that are asked."
            raise UserError("protocol.adapt.probe", folder, problem, "Leave it out: another one is trained then.")
        if facts["weights"] != self.weights:
            log.warning("the probe of %s was trained on the states of other weights (%s)", folder, facts["weights"])

    def _chosen(self, suite: Suite, probe: DifficultyProbe) -> Suite:
        tokenizer, rows = self.policy.tokenizer, int(self.config.rollout.batch_size)
        prompts = [str(suite.protocol.render(problem, tokenizer)) for problem in suite.problems]
        states, read = prompt_states(self.policy, prompts, rows)
        names = chosen_strategies(probe, states)
        found = map(ChosenStrategy, names, read)
        return replace(suite, strategies={p.id: one for p, one in zip(suite.problems, found, strict=True)})


def build_strategies(config: DictConfig, policy: Policy, weights: str | None) -> Callable[..., Strategies] | None:
    """What gives problems their strategies; None where the protocol has one for all."""
    if not config.protocol.get("adapt"):
        return None
    configuration.resolved_tree(config.protocol)  # an interpolation that leads nowhere is said before anything runs
    return StrategyChooser(config, policy, weights)
