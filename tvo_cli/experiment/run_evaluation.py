"""`tvo eval`: one model on suites of problems."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Collection, Sequence
from typing import Any

from omegaconf import DictConfig

from tvo_cli import config as configuration
from tvo_cli.evaluation import pipeline
from tvo_cli.evaluation.generate_and_grade import EvaluatorProgress
from tvo_cli.evaluation.suite import Suite
from tvo_cli.experiment.adopt_run_settings import adopt_run_settings, notes_on_protocols
from tvo_cli.experiment.automatic_settings import Tell, settle_evaluation_settings
from tvo_cli.experiment.build_engine import build_engine_with_fingerprint
from tvo_cli.experiment.build_pair import pair_of_models
from tvo_cli.experiment.build_strategies import build_strategies
from tvo_cli.experiment.heldout_suite import fill_heldout_suite, notes_on_changed_problems
from tvo_cli.experiment.run_of_policy import recorded_config_of_policy
from tvo_cli.experiment.unnamed_suite import notes_on_unnamed_suite
from tvo_cli.model.model_files.model_identity import warn_of_fetched_weights

log = logging.getLogger("tvo")


def evaluate(
    config: DictConfig,
    watch: Callable[[EvaluatorProgress], object],
    given: Collection[str] = (),
    tell: Tell = log.info,
) -> dict[str, Any]:
    """Evaluate one model on suites of problems; the summary that is also written to summary.json.

    `given`: the keys that the user set. What else decides the model's answers is taken from the run that trained it.
    """
    warn_of_fetched_weights(config.model)
    of_run = adopt_run_settings(config, given, tell)
    recorded = recorded_config_of_policy(str(config.model.path))
    fill_heldout_suite(config, recorded, given, tell)
    for note in notes_on_unnamed_suite(config, recorded, given):
        tell(note)
    settle_evaluation_settings(config, tell)
    tree = configuration.resolved_tree(config.model)
    (engine, reader, facts, policy), weights = build_engine_with_fingerprint(config, tell)
    tokenizer = reader.tokenizer
    model = {
        "model": str(tree["path"]),
        "weights": weights or tree["revision"],
        "dtype": tree["dtype"],
    }
    model["chat_template"] = hashlib.sha256(str(tokenizer.chat_template or "").encode()).hexdigest()[:12]
    model["engine"] = str(config.rollout.get("engine") or "tvo")
    if config.protocol.get("switch"):
        model["pair"] = pair_of_models(config, engine)

    def notice(suites: Sequence[Suite]) -> None:
        of_protocols = notes_on_protocols(suites, config.model.prompt, tokenizer, given, of_run=of_run)
        of_problems = notes_on_changed_problems(suites, str(config.model.path), config.evaluation)
        for note in (*of_protocols, *of_problems):
            tell(note)

    choose = None if policy is None else build_strategies(config, policy, model["weights"])
    return pipeline.evaluate_suites(config, engine, tokenizer, model, watch, reader, facts, notice, choose)
