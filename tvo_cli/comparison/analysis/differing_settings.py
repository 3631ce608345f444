"""The settings in which arms differ, and why: compared, brought by the algorithm, harmless, or not intended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tvo_cli.runs.trial import RATE, Trial
from tvo_cli.runs.trial_settings import (
    OWN_CODE,
    SEEDED,
    is_harmless_setting,
    settings_brought_by_algorithm,
    trial_setting_text,
)


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


class DifferingSetting(NamedTuple):
    """A setting in which arms differ, its values, and why."""

    key: str
    values: tuple[str, ...]  # one an arm, in their order
    why: str  # compared, brought by the algorithm, the rate, harmless, or not intended


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


def _setting_values_of_arm(trials: Sequence[Trial], key: str) -> str:
    """All values that a differing setting has in one arm, as text."""
    texts = {trial_setting_text(key, trial.settings.get(key)) for trial in trials}
    return ", ".join(sorted(texts, key=_sort_key_of_setting))


def _sort_key_of_setting(text: str) -> tuple[int, float, str]:
    """Return a sort key of a setting's value: numbers before texts."""
    try:
        return 0, float(text), text
    except ValueError:
        return 1, 0.0, text
