"""Idle rules: collapse rules and step rules that a config keeps from ever acting."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

log = logging.getLogger("tvo")

# Read before the last update of a batch, against the policy that sampled it (docs/metrics.md, The policy).
OF_MOVEMENT = ("policy/tv", "policy/kl_old", "policy/ratio_", "policy/clipped", "policy/damped")
OF_GROUPS = ("group/", "answer/")  # how the responses of one prompt differ
OF_REFERENCE = ("policy/kl_ref",)
STILL = ("Free",)  # step rules that read no movement


def log_idle_rules(config: Any, *, reference: bool) -> None:
    """Log the notes of a run that begins."""
    for note in idle_rule_notes(config, reference=reference):
        log.info("%s", note)


def idle_rule_notes(config: Any, *, reference: bool) -> list[str]:
    """One line for each cause, with the rules and keys that it concerns; nothing where all of them can act.

    `reference`: whether the run keeps a frozen start, be it for a reading or for a penalty.
    """
    idle = [*_rules_idle_with_one_update(config), *_rules_idle_with_one_response(config)]
    return [*idle, *([] if reference else _rules_idle_without_reference(config))]


def _rules_idle_with_one_update(config: Any) -> Iterator[str]:
    rollout = config.rollout
    if int(rollout.epochs) * int(rollout.minibatches) > 1:
        return
    idle = [f"{name} ({metric}) cannot fire" for name, metric in _rules_watching(config, OF_MOVEMENT)]
    rule = str(config.algorithm.step_rule._target_).rpartition(".")[2]
    idle += [] if rule in STILL else [f"algorithm.step_rule={rule} has nothing to act on"]
    if idle:
        yield (
            "with one update a batch (rollout.epochs=1, rollout.minibatches=1) the policy is read before it moves: "
            f"{'; '.join(idle)}"
        )


def _rules_idle_with_one_response(config: Any) -> Iterator[str]:
    if int(config.rollout.samples) > 1:
        return
    idle = [f"{name} ({metric}) cannot fire" for name, metric in _rules_watching(config, OF_GROUPS)]
    if idle:
        yield f"with one response a prompt (rollout.samples=1) no group has a spread: {'; '.join(idle)}"


def _rules_idle_without_reference(config: Any) -> Iterator[str]:
    for name, metric in _rules_watching(config, OF_REFERENCE):
        value = str(config.stability.reference).lower()
        yield f"stability.reference={value}: {name} ({metric}) cannot fire, for nothing is compared with the start"


def _rules_watching(config: Any, metrics: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Collapse rules of a config that are on and look at one of these metrics: idle where nothing logs it."""
    for name, rule in config.stability.rules.items():
        metric = str(rule.get("metric", "")) if rule is not None else ""
        if metric.startswith(metrics):
            yield str(name), metric
