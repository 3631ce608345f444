"""Check that the arms were evaluated under the same protocol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tvo_cli.comparison import formatting
from tvo_cli.comparison.analysis.arms_and_blocks import Block
from tvo_cli.comparison.analysis.metric_choice import MetricChoice
from tvo_cli.errors import UserError
from tvo_cli.runs import trial_settings
from tvo_cli.runs.trial import Trial

EVALUATION = ("evaluation.", "dataset.", "reward.", "model.prompt.")
TRAINING = ("dataset.", "reward.", "model.prompt.", "rollout.temperature", "rollout.top_", "rollout.max_tokens")
SHAPING = ("reward.length.", "reward.format")  # terms of the reward that no verdict uses; DAPO brings one
HASH, PROBLEMS = "protocol_hash", "fingerprint"  # what `tvo eval` writes of each suite


def evaluation_protocol_of(trial: Trial, how: MetricChoice) -> Mapping[str, str]:
    """Return what decides how a run's metric was evaluated: the protocol's fingerprint, else the settings."""
    told = trial.run.summary
    if HASH in told and how.evaluated:
        return {key: str(told[key]) for key in (HASH, PROBLEMS) if key in told}
    parts = EVALUATION if how.evaluated else TRAINING
    ignored = () if how.metric.startswith("reward/") else SHAPING
    keys = (key for key in trial.settings if key.startswith(parts) and not key.startswith(ignored))
    return {
        key: trial_settings.setting_text(trial.settings[key])
        for key in keys
        if not trial_settings.is_harmless_setting(key)
    }


def was_evaluated_alike(block: Block, how: MetricChoice) -> bool:
    """Return whether the arms of a block were evaluated under one protocol, as far as is known."""
    try:
        check_same_evaluation_protocol(block, how, force=False)
    except UserError:
        return False
    return True


def check_same_evaluation_protocol(block: Block, how: MetricChoice, force: bool) -> tuple[str, ...]:
    """Refuse arms evaluated under different protocols, or note it when forced; unknown ones are noted."""
    known = {
        arm.label: [
            evaluation_protocol_of(trial, how) for trial in arm.trials if trial.run.steps or trial.run.evaluations
        ]
        for arm in block.arms
    }
    keys = sorted({key for rows in known.values() for row in rows for key in row})
    silent = [label for label, rows in known.items() if keys and rows and not any(rows)]
    differing = [(key, _protocol_values_of_arms(known, key, silent)) for key in keys]
    differing = [(key, sets) for key, sets in differing if len(set(sets.values())) > 1]
    notes = (
        [f"{formatting.join_names(silent)}: nothing says how these runs were evaluated; check that it was alike."]
        if silent
        else []
    )
    if differing and not force:
        key, sets = differing[0]
        told = "; ".join(f"{label} {value}" for label, value in list(sets.items())[:4])
        more = f" (and {len(differing) - 1} more settings)" if len(differing) > 1 else ""
        remedy = "Compare runs of one protocol, or take --force to compare all the same."
        raise UserError(key, told, f"the arms' {how.metric} come from different evaluation protocols{more}.", remedy)
    if differing:
        listed = formatting.join_names([key for key, _ in differing])
        notes.append(f"Forced: the arms were evaluated in different ways ({listed}); a difference may come from that.")
    return tuple(notes)


def _protocol_values_of_arms(
    known: Mapping[str, Sequence[Mapping[str, str]]], key: str, silent: Sequence[str]
) -> dict[str, str]:
    return {
        label: ", ".join(sorted({row.get(key, trial_settings.ABSENT) for row in rows}))
        for label, rows in known.items()
        if rows and label not in silent
    }
