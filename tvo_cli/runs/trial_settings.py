"""Settings of trials, flat: which vary inside an arm, which are harmless."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tvo_cli import config as configuration
from tvo_cli.runs.trial import RATE, Trial, finite_number_of

SEEDED = "seed"
HARMLESS = (  # where and how a run is done, not what is done
    *("trainer.threads", "trainer.device", "trainer.keep", "trainer.resume", "trainer.checkpoint_every"),
    *("trainer.profile", "trainer.save_policy_only"),
    *("trainer.microbatch_rows", "trainer.precision", "trainer.deterministic", "rollout.batch_size"),
    *("trainer.microbatch_tokens", "trainer.matmul", "stability.reference", "rollout.cache_gb"),
    "plugins",  # by itself: what is taken of it is named by other settings
    *("reward.workers", "reward.deadline", "reward.memory_mb", "evaluation.every", "evaluation.at_start"),
)
HARMLESS_PARTS = ("evaluated", "recorder.", "resume.", "evaluation.confidence", "trainer.checkpoint")
ABSENT = "—"
OWN_CODE = "own_code"  # fingerprints of files that other settings name
SHOWN_OF_SHA256 = 8  # digits


def flat_trial_settings(tree: Any, prefix: str = "") -> dict[str, Any]:
    """Return a config as dotted keys with scalars, lists as JSON, without what names or logs a run."""
    found: dict[str, Any] = {}
    for name, value in tree.items() if isinstance(tree, Mapping) else ():
        if not prefix and (name in configuration.NOT_THE_EXPERIMENT or (name == OWN_CODE and not value)):
            continue
        if isinstance(value, Mapping) and value:
            found |= flat_trial_settings(value, f"{prefix}{name}.")
        else:
            found[configuration.current_key_name(f"{prefix}{name}")] = (
                json.dumps(value) if isinstance(value, list | Mapping) else value
            )
    return found


def is_harmless_setting(key: str) -> bool:
    """Return whether a setting cannot change what is compared, except its time."""
    return key in HARMLESS or key.startswith(HARMLESS_PARTS)


def varying_settings(trials: Sequence[Trial]) -> list[str]:
    """Return the keys of the settings that are not the same in all trials."""
    keys = {key for trial in trials for key in trial.settings}
    return sorted(key for key in keys if len({setting_text(trial.settings.get(key)) for trial in trials}) > 1)


def describe_settings(trial: Trial, keys: Sequence[str]) -> str:
    """Return settings as text: `rollout.epochs=2, dataset.name=addition`."""
    return ", ".join(f"{key}={trial_setting_text(key, trial.settings.get(key))}" for key in keys)


def settings_varying_inside_arms(arms: Iterable[Sequence[Trial]], fixed: Sequence[str]) -> tuple[str, ...]:
    """Return the settings that vary inside an arm, besides the seed, the rate, and what only follows them."""
    found: set[str] = set()
    for trials in arms:
        followers = (SEEDED, RATE)
        for key in varying_settings(trials):
            skipped = key in (*fixed, *followers) or is_harmless_setting(key)
            if not skipped and not any(_settings_go_together(key, other, trials) for other in followers):
                found.add(key)
    return tuple(sorted(found))


def _settings_go_together(key: str, other: str, trials: Sequence[Trial]) -> bool:
    """Return whether two settings say the same: each value of one goes with one value of the other."""
    pairs = {(setting_text(trial.settings.get(key)), setting_text(trial.settings.get(other))) for trial in trials}
    return len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs}) > 1


def essential_settings(keys: Sequence[str], trials: Sequence[Trial]) -> tuple[str, ...]:
    """Return the fewest of the keys that still tell all the settings apart, names first."""
    kept: list[str] = []
    for key in sorted(keys, key=lambda one: (not one.endswith(".name"), one)):
        if not any(_settings_go_together(key, other, trials) for other in kept):
            kept.append(key)
    return tuple(kept)


def setting_text(value: Any) -> str:
    """Return a setting's value as text; a number in its shortest form, of whichever type it was written."""
    if value is None:
        return ABSENT
    found = finite_number_of(value) if isinstance(value, float | str) else None
    return str(value) if found is None else f"{found:g}"


def trial_setting_text(key: str, value: Any) -> str:
    """Return a setting's value as a table shows it: of a sha256 of own code the first digits."""
    text = setting_text(value)
    return text[:SHOWN_OF_SHA256] if key.startswith(f"{OWN_CODE}.") else text


def settings_brought_by_algorithm(name: str) -> set[str]:
    """Return what conf/algorithm/NAME.yaml and the parts it is made of set outside `algorithm`."""
    from tvo_cli.report.run_folder_reading import parse_run_config

    path = configuration.choice_path("algorithm", name)
    if not path.is_file():
        return set()
    tree = parse_run_config(path.read_text(encoding="utf-8"))
    parts = [part for part in tree.pop("defaults", []) if isinstance(part, str) and part != "_self_"]
    found = {key for key in flat_trial_settings(tree) if not key.startswith("algorithm.")}
    return found.union(*(settings_brought_by_algorithm(part) for part in parts))
