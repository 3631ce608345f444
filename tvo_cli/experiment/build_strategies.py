"""The probe of `protocol=diffadapt`: labelled and trained on training problems, or taken from another evaluation."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig
from torch import Tensor

from tvo_cli import config as configuration
from tvo_cli.errors import UserError
from tvo_cli.evaluation.strategy_choice import STRATEGIES, confusion
from tvo_cli.evaluation.suite import ChosenStrategy, Suite, few_shot_question_fingerprint
from tvo_cli.experiment.strategy_labels import LabelledQuestions, label_training_questions
from tvo_cli.file_digest import file_sha256
from tvo_cli.model import Policy
from tvo_cli.model.difficulty_probe import NAME, DifficultyProbe, prompt_states, train_probe
from tvo_cli.tracking.atomic_files import write_json_atomically

log = logging.getLogger("tvo")
FACTS = "probe.json"
HELD_OUT = 5  # every fifth labelled question tests the probe and is not learnt
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
            _train(self.config, self.policy, suites, folder, self.weights)
        facts = _read_facts(folder)
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


@torch.no_grad()
def chosen_strategies(probe: DifficultyProbe, states: Tensor) -> list[str]:
    """The likeliest strategy of each state."""
    return [STRATEGIES[index] for index in probe(states).argmax(1).tolist()]


def _train(config: DictConfig, policy: Policy, suites: Sequence[Suite], folder: Path, weights: str | None) -> None:
    """Label questions of the training splits, train the probe on four fifths, test it on the others, and keep it."""
    labelled = label_training_questions(config, policy, suites)
    labels = torch.tensor([STRATEGIES.index(label) for label in labelled.labels])
    tested = torch.arange(len(labels)) % HELD_OUT == HELD_OUT - 1
    if int((~tested).sum()) == 0:
        raise UserError("protocol.adapt.problems", len(labels), "leaves no question to learn from.", "Take 64.")
    adapt = config.protocol.adapt
    chosen = {"width": int(adapt.width), "epochs": int(adapt.epochs), "lr": float(adapt.lr)}
    probe = train_probe(
        labelled.states[~tested],
        labels[~tested],
        classes=len(STRATEGIES),
        seed=int(config.evaluation.seed),
        **chosen,  # type: ignore[arg-type]
    )
    folder.mkdir(parents=True, exist_ok=True)
    probe.save(folder)
    write_json_atomically(folder / FACTS, _facts(labelled, tested, probe) | {"weights": weights} | chosen)


def _facts(labelled: LabelledQuestions, tested: Tensor, probe: DifficultyProbe) -> dict[str, Any]:
    """What is known of a probe: its labels and their cost, and how it chooses for questions that it has not learnt."""
    held = tested.nonzero().flatten().tolist()
    of_held = [labelled.labels[i] for i in held]
    chosen = chosen_strategies(probe, labelled.states[tested]) if held else []
    right = sum(one == other for one, other in zip(of_held, chosen, strict=True))
    counts = {name: labelled.labels.count(name) for name in STRATEGIES}
    if len(met := set(labelled.labels)) == 1:
        said = (
            "all %d labelled questions are %s, so every problem is answered as such; protocol.adapt has the thresholds"
        )
        log.warning(said, len(labelled.labels), *met)
    return {
        "labelled": len(labelled.labels),
        "labels": counts,
        "label_tokens": labelled.tokens,
        "label_prompt_tokens": labelled.prompt_tokens,
        "held_out": len(held),
        "held_out_right": right,
        "confusion": confusion(of_held, chosen),
        "questions": list(labelled.questions),
    }


def _read_facts(folder: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads((folder / FACTS).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        remedy = "Name the folder of an evaluation by protocol=diffadapt."
        raise UserError("protocol.adapt.probe", folder, f"holds no readable {FACTS} ({error}).", remedy) from error
    return found


def build_strategies(config: DictConfig, policy: Policy, weights: str | None) -> Callable[..., Strategies] | None:
    """What gives problems their strategies; None where the protocol has one for all."""
    if not config.protocol.get("adapt"):
        return None
    configuration.resolved_tree(config.protocol)  # an interpolation that leads nowhere is said before anything runs
    return StrategyChooser(config, policy, weights)
