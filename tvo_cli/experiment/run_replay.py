"""`tvo replay`: a recorded step again, and once more under other settings."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from omegaconf import MISSING, DictConfig, OmegaConf

from tvo_cli import config as configuration
from tvo_cli.config.cross_key_checks import check_across_keys
from tvo_cli.errors import UserError
from tvo_cli.experiment.build_session import build_session
from tvo_cli.plugins.own_code_references import own_code_references
from tvo_cli.plugins.own_targets import allow_plugins
from tvo_cli.redaction import redacted_value
from tvo_cli.replay.step_replay import ReplayedStep, replay_exactly, replay_with
from tvo_cli.tracking import own_code_copies
from tvo_cli.training import flight_recorder

# settings that made a recorded batch
RECORDED = ("reward.", "dataset.", "curriculum.", "rollout.prompts", "rollout.samples")
NOT_FOLLOWED = "not applied: problems, responses and rewards are the recorded ones"


def replay(
    run: Path, step: int, words: Sequence[str], most: int = 10, *, recorded_code: bool = False
) -> tuple[dict[str, Any], list[ReplayedStep]]:
    """Replay a recorded step and, when overrides are given, once more under them; what was recorded, and both.

    `recorded_code`: of own code run the copies that the run folder keeps.
    """
    words = configuration.rename_keys_of_overrides(words)
    recording = flight_recorder.read_recording(run, step)
    record: dict[str, Any] = recording[1]["record"]
    chosen = _in_recorded_precision(configuration.load_recorded_config(record["config"]))
    chosen = _with_its_own_code(run, without_reward_functions(chosen), recorded_code=recorded_code)
    with ExitStack() as resources:
        replayed = [replay_exactly(build_session(_without_loggers(chosen), run, resources), recording, most=most)]
    if words:
        other, notes = _with_overrides_and_plugins(chosen, words)
        check_across_keys(other)
        same = other.optimizer.make._target_ == chosen.optimizer.make._target_
        with ExitStack() as resources:
            session = build_session(_without_loggers(other), run, resources)
            at = replayed[0].attributed
            replayed.append(replay_with(session, recording, same_optimizer=same, most=most, attributed=at))
            replayed[-1].notes += notes
    return record, replayed


def without_reward_functions(chosen: DictConfig) -> DictConfig:
    """A recorded config without the user's reward functions: nobody asks them, as the rewards are the recorded ones.

    A weighting that moves knows them by name, and keeps them.
    """
    if chosen.reward.get("weighting", "fixed") != "fixed" or not chosen.reward.get("functions"):
        return chosen
    found: DictConfig = copy.deepcopy(chosen)
    found.reward.functions = []
    found.reward.correct = found.reward.correct or 1.0  # of no effect here; without any weight a run is refused
    named = {one.source for one in own_code_references(configuration.resolved_tree(found))}
    found.own_code = {name: sha for name, sha in configuration.recorded_own_code(found).items() if name in named}
    return found


def _with_its_own_code(run: Path, chosen: DictConfig, *, recorded_code: bool) -> DictConfig:
    """The config whose own code may be built: what it names now if that is what ran, or the run's copies."""
    if recorded_code:
        chosen = OmegaConf.create(own_code_copies.config_with_code_copies(run, configuration.resolved_tree(chosen)))
    else:
        own_code_copies.check_own_code_of_run(run, chosen)
    allow_plugins(list(chosen.plugins))
    return chosen


def _with_overrides_and_plugins(chosen: DictConfig, words: Sequence[str]) -> tuple[DictConfig, list[str]]:
    """`_with_overrides`, with the plugins of the run and of the words in effect; checked."""
    plugins = [word for word in words if configuration.split_override(word)[0] == "plugins"]
    others = [word for word in words if word not in plugins]
    named = configuration.recorded_plugins_in_effect(list(chosen.plugins))
    with named, configuration.plugins_in_effect(words, "train"):
        other, notes = _with_overrides(chosen, others)
        configuration.clear_own_code_record(other)
        configuration.check_composed_config(other, "train", others)
    return other, notes


def _in_recorded_precision(config: DictConfig) -> DictConfig:
    """The config of a replayed run of an earlier version, which recorded the word auto, with what it meant there."""
    if config.trainer.precision == "auto":
        config.trainer.precision = config.model.dtype
    return config


def _without_loggers(config: DictConfig) -> DictConfig:
    """Without loggers and without an evaluation: nothing is written."""
    config = copy.deepcopy(config)
    config.logger.name, config.logger.console, config.evaluation.problems = "none", "off", 0
    return config


def _with_overrides(chosen: DictConfig, words: Sequence[str]) -> tuple[DictConfig, list[str]]:
    """A resolved config with other choices of groups, then other numbers; and what a recorded batch cannot follow."""
    config = copy.deepcopy(chosen)
    notes: list[str] = []
    for word in sorted(
        words, key=lambda word: configuration.split_override(word)[0] not in configuration.config_groups()
    ):
        key, value = configuration.split_override(word)
        if key.partition(".")[0] == "adapter":
            problem = "a recorded step is replayed with what trained in it."
            raise UserError(key, value, problem, "For other ones start a run.")
        if key in configuration.config_groups():
            notes += _exchange_group_of_recorded_run(config, chosen, word)
        elif OmegaConf.select(config, key, default=MISSING) is MISSING:
            from tvo_cli.config.schema.known_keys import dotted_keys

            known = dotted_keys(config)
            shown = redacted_value(key, value)
            raise UserError(key, shown, "there is no such key.", configuration.nearest_names(key, known))
        else:
            config.merge_with_dotlist([f"{key}={value}"])
            notes += [f"{word}: {NOT_FOLLOWED}"] if key.startswith(RECORDED) else []
    return config, notes


def _exchange_group_of_recorded_run(config: DictConfig, chosen: DictConfig, word: str) -> list[str]:
    """Put a group's choice in; what of it cannot act on a recorded batch, in words."""
    key, value = configuration.split_override(word)
    fresh = _compose_replay(word, chosen)
    for node in ("algorithm", "optimizer") if key == "algorithm" else (key,):
        config[node] = fresh[node]
    if key == "algorithm":
        return _exchange_algorithm_settings(config, chosen, value, fresh)
    return [f"{word}: {NOT_FOLLOWED}"] if f"{key}.".startswith(RECORDED) else []


def _exchange_algorithm_settings(config: DictConfig, chosen: DictConfig, name: str, fresh: DictConfig) -> list[str]:
    """Change the settings in which the yamls of two algorithms differ, besides their own and the optimiser's."""
    from tvo_cli.runs.trial_settings import settings_brought_by_algorithm

    was = str(chosen.algorithm.name)
    before = (
        _compose_replay(f"algorithm={was}", chosen) if was in configuration.choices_of_group("algorithm") else chosen
    )
    notes = []
    for key in sorted(
        one
        for one in settings_brought_by_algorithm(name) | settings_brought_by_algorithm(was)
        if not one.startswith("optimizer.")
    ):
        now, then = OmegaConf.select(fresh, key), OmegaConf.select(before, key)
        if now != then and key.startswith(RECORDED):
            notes.append(f"{name} has {key}={now}: {NOT_FOLLOWED}")
        elif now != then == OmegaConf.select(chosen, key):  # what the run had set itself stands
            OmegaConf.update(config, key, now)
    return notes


def _compose_replay(word: str, chosen: DictConfig) -> DictConfig:
    scales = (f"{node}.lr_scale={chosen[node].lr_scale}" for node in ("model", "adapter"))
    words = [word, *scales, "output_dir=unused"]
    found: DictConfig = OmegaConf.create(configuration.resolved_tree(configuration.compose(words)))
    return found
