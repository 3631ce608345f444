"""The probe of `protocol=diffadapt`: trained on labelled training problems, tested on a fifth of them, and kept."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig
from torch import Tensor

from tvo_cli.errors import UserError
from tvo_cli.evaluation.strategy_choice import STRATEGIES, confusion
from tvo_cli.evaluation.suite import Suite
from tvo_cli.experiment.strategy_labels import LabelledQuestions, label_training_questions
from tvo_cli.model import Policy
from tvo_cli.model.difficulty_probe import DifficultyProbe, train_probe
from tvo_cli.tracking.atomic_files import write_json_atomically

log = logging.getLogger("tvo")
FACTS = "probe.json"
HELD_OUT = 5  # every fifth labelled question tests the probe and is not learnt


@torch.no_grad()
def chosen_strategies(probe: DifficultyProbe, states: Tensor) -> list[str]:
    """The likeliest strategy of each state."""
    return [STRATEGIES[index] for index in probe(states).argmax(1).tolist()]


def train_strategy_probe(
    config: DictConfig, policy: Policy, suites: Sequence[Suite], folder: Path, weights: str | None
) -> None:
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
    write_json_atomically(folder / FACTS, _facts_of_probe(labelled, tested, probe) | {"weights": weights} | chosen)


def _facts_of_probe(labelled: LabelledQuestions, tested: Tensor, probe: DifficultyProbe) -> dict[str, Any]:
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


def read_probe_facts(folder: Path) -> dict[str, Any]:
    """What is known of the probe in the folder of an evaluation.

    Raises:
        UserError: there is none.
    """
    try:
        found: dict[str, Any] = json.loads((folder / FACTS).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        remedy = "Name the folder of an evaluation by protocol=diffadapt."
        raise UserError("protocol.adapt.probe", folder, f"holds no readable {FACTS} ({error}).", remedy) from error
    return found
