"""Settings of trials, flat: which vary inside an arm, which are harmless, in which arms differ and why."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from tvo_cli import config as configuration
from tvo_cli.runs.trial import RATE, Trial, setting_as_number

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
    found = setting_as_number(value) if isinstance(value, float | str) else None
    return str(value) if found is None else f"{found:g}"


def trial_setting_text(key: str, value: Any) -> str:
    """Return a setting's value as a table shows it: of a sha256 of own code the first digits."""
    text = setting_text(value)
    return text[:SHOWN_OF_SHA256] if key.startswith(f"{OWN_CODE}.") else text


class DifferingSetting(NamedTuple):
    """A setting in which arms differ, its values, and why."""

    key: str
    values: tuple[str, ...]  # one an arm, in their order
    why: str  # compared, brought by the algorithm, the rate, harmless, or not intended


def settings_in_which_arms_differ(
    arms: Mapping[str, Sequence[Trial]], by: Sequence[str]
) -> tuple[DifferingSetting, ...]:
    """Return all settings in which the arms differ, what was not intended first."""
    keys = sorted({key for trials in arms.values() for trial in trials for key in trial.settings})
    found = []
    for key in keys:
        sets = [_setting_values_of_arm(trials, key) for trials in arms.values()]
        if key != SEEDED and len(set(sets)) > 1:
            found.append(DifferingSetting(key, tuple(sets), _why_setting_differs(key, by, arms)))
    order = ("not intended", "the rate", "compared", "brought by the algorithm", "harmless")
    return tuple(sorted(found, key=lambda one: (order.index(one.why), one.key)))


def _why_setting_differs(key: str, by: Sequence[str], arms: Mapping[str, Sequence[Trial]]) -> str:
    """Return why a setting differs: compared, the rate, brought by the algorithm, harmless, not intended."""
    group = {one.rpartition(".")[0] + "." for one in by if one.endswith(".name")}
    if key in by:
        return "compared"
    if key == RATE:
        return "the rate"
    if _is_code_of_some_arms(key, arms):
        return "brought by the algorithm" if "algorithm.name" in by else "harmless"
    if any(key.startswith(one) for one in group) or (key in _settings_brought_by_algorithms(by, arms)):
        return (
            "brought by the algorithm"
            if key.startswith("algorithm.") or key in _settings_brought_by_algorithms(by, arms)
            else "compared"
        )
    return "harmless" if is_harmless_setting(key) else "not intended"


def _is_code_of_some_arms(key: str, arms: Mapping[str, Sequence[Trial]]) -> bool:
    """Return whether a key is the fingerprint of code that some arms name, and all of those have the same."""
    found = {trial.settings.get(key) for trials in arms.values() for trial in trials} - {None}
    return key.startswith(f"{OWN_CODE}.") and len(found) == 1


def _settings_brought_by_algorithms(by: Sequence[str], arms: Mapping[str, Sequence[Trial]]) -> set[str]:
    """Return the settings outside `algorithm` that the yaml of a compared algorithm sets."""
    if "algorithm.name" not in by:
        return set()
    names = {str(trial.settings.get("algorithm.name")) for trials in arms.values() for trial in trials}
    return {key for name in names for key in settings_brought_by_algorithm(name)}


def settings_brought_by_algorithm(name: str) -> set[str]:
    """Return what conf/algorithm/NAME.yaml and the parts it is made of set outside `algorithm`."""
    from tvo_cli.report.run_loading import parse_run_config

    path = configuration.choice_path("algorithm", name)
    if not path.is_file():
        return set()
    tree = parse_run_config(path.read_text(encoding="utf-8"))
    parts = [part for part in tree.pop("defaults", []) if isinstance(part, str) and part != "_self_"]
    found = {key for key in flat_trial_settings(tree) if not key.startswith("algorithm.")}
    return found.union(*(settings_brought_by_algorithm(part) for part in parts))


def _setting_values_of_arm(trials: Sequence[Trial], key: str) -> str:
    texts = {trial_setting_text(key, trial.settings.get(key)) for trial in trials}
    return ", ".join(sorted(texts, key=_sort_key_of_setting))


def _sort_key_of_setting(text: str) -> tuple[int, float, str]:
    """Return a sort key of a setting's value: numbers before texts."""
    try:
        return 0, float(text), text
    except ValueError:
        return 1, 0.0, text
