"""Arms and blocks: what is compared with what.

An arm is what `--by` names. Runs of an arm at one learning rate are a cell. Runs that differ in anything else are
never pooled: settings of the algorithm make arms of their own, all other settings make blocks, each compared by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tvo_cli import config as configuration
from tvo_cli.comparison import formatting
from tvo_cli.comparison.analysis import differing_settings
from tvo_cli.errors import UserError
from tvo_cli.runs import trial_settings
from tvo_cli.runs.trial import FAILED, FINISHED, Trial

SOURCE = "given path"


@dataclass(frozen=True, slots=True)
class ArmAtRate:
    """The runs of an arm at one learning rate, differing in the seed only; of a chosen rate, a seed each at its own."""

    arm: str
    rate: float | None  # None: a rate for each seed, chosen
    trials: tuple[Trial, ...]

    @property
    def by_seed(self) -> dict[str, Trial]:
        """The runs by their seed."""
        return {trial.seed: trial for trial in self.trials}


@dataclass(frozen=True, slots=True)
class Arm:
    """An arm of a comparison: what `--by` names, with all its runs."""

    label: str
    trials: tuple[Trial, ...]

    @property
    def title(self) -> str:
        """The label as a sentence names it."""
        return formatting.arm_title(self.label)

    @property
    def cells(self) -> tuple[ArmAtRate, ...]:
        """The runs by learning rate, ascending."""
        rates = sorted({trial.rate for trial in self.trials}, key=lambda rate: (rate is not None, rate or 0.0))
        return tuple(
            ArmAtRate(self.label, rate, tuple(trial for trial in self.trials if trial.rate == rate)) for rate in rates
        )

    @property
    def rates(self) -> tuple[float, ...]:
        """The learning rates that are known, ascending."""
        return tuple(cell.rate for cell in self.cells if cell.rate is not None)


@dataclass(frozen=True, slots=True)
class Block:
    """A block: arms that may be compared, since every other setting is the same inside each."""

    label: str  # what tells it from other blocks; empty when there is one
    arms: tuple[Arm, ...]
    differing: tuple[differing_settings.DifferingSetting, ...]


def arms_in_blocks(
    trials: Sequence[Trial], by: Sequence[str], *, evaluated: bool = True
) -> tuple[tuple[Block, ...], tuple[str, ...]]:
    """Return the blocks of a comparison, the largest first, and notes on what was separated and why.

    evaluated: an evaluation's metric is compared; else how a run is evaluated tells no runs apart.
    """
    notes: list[str] = []
    keys, trials = _keys_and_trials_of_arms(by, trials, notes)
    labelled = _trials_by_arm(trials, keys, notes)
    inside = trial_settings.settings_varying_inside_arms(labelled.values(), keys)
    apart = ("algorithm.",) if evaluated else ("algorithm.", "evaluation.")
    context = trial_settings.essential_settings([key for key in inside if not key.startswith(apart)], trials)
    found: dict[str, list[Trial]] = {}
    for trial in trials:
        found.setdefault(trial_settings.describe_settings(trial, context), []).append(trial)
    if len(found) > 1:
        notes.append(f"Runs of one arm differ in {', '.join(context)}: compared apart, never pooled.")
    made = [_make_block(label, members, keys, by, notes) for label, members in found.items()]
    made.sort(key=lambda block: (-len(block.arms), -sum(len(arm.trials) for arm in block.arms), block.label))
    return tuple(made), tuple(dict.fromkeys(notes))


def _make_block(
    label: str, members: Sequence[Trial], keys: Sequence[str], by: Sequence[str], notes: list[str]
) -> Block:
    """Make a block; variants of an algorithm inside it become arms of their own."""
    labelled = _trials_by_arm(members, keys, [])
    own = [
        key
        for key in trial_settings.settings_varying_inside_arms(labelled.values(), keys)
        if key.startswith("algorithm.")
    ]
    own = list(trial_settings.essential_settings(own, members))
    if own:
        notes.append(f"Runs of one arm differ in {', '.join(own)}: each variant is an arm of its own.")
        labelled = _split_arms_by_variant(labelled, own)
    arms = [Arm(name, _each_seed_once(name, mine, notes)) for name, mine in sorted(labelled.items())]
    return Block(
        label,
        tuple(arms),
        differing_settings.settings_in_which_arms_differ({arm.label: arm.trials for arm in arms}, (*by, *keys)),
    )


def _keys_and_trials_of_arms(
    by: Sequence[str], trials: Sequence[Trial], notes: list[str]
) -> tuple[tuple[str, ...], tuple[Trial, ...]]:
    """Return the keys that name the arms; the given path is one where two paths hold the same arm, rate and seed."""
    places: dict[tuple[Any, ...], set[str]] = {}
    for trial in trials:
        places.setdefault(tuple(trial.settings.items()), set()).add(trial.source)
    if all(len(sources) == 1 for sources in places.values()):
        return tuple(by), tuple(trials)
    notes.append("The same settings and seeds are in more than one of the given paths: the path is part of the arm.")
    short = _block_source_names(sorted({trial.source for trial in trials}))
    return (*by, SOURCE), tuple(trial.with_settings({SOURCE: short[trial.source]}) for trial in trials)


def _block_source_names(sources: Sequence[str]) -> dict[str, str]:
    names = {source: Path(source).name for source in sources}
    return names if len(set(names.values())) == len(sources) else {source: source for source in sources}


def _trials_by_arm(trials: Iterable[Trial], keys: Sequence[str], notes: list[str]) -> dict[str, list[Trial]]:
    """Group runs by the label of their arm."""
    found: dict[str, list[Trial]] = {}
    for trial in trials:
        found.setdefault(arm_label(trial, keys), []).append(trial)
    missing = [trial.name for trial in trials if any(key not in trial.settings for key in keys)]
    if missing:
        notes.append(
            f"{formatting.join_names(missing)}: no such setting as {', '.join(keys)}; shown as {trial_settings.ABSENT}."
        )
    return found


def _split_arms_by_variant(labelled: dict[str, list[Trial]], keys: Sequence[str]) -> dict[str, list[Trial]]:
    """Split each arm by the settings that vary inside it; its most usual variant keeps the name."""
    found: dict[str, list[Trial]] = {}
    for label, members in labelled.items():
        parts: dict[str, list[Trial]] = {}
        for trial in members:
            parts.setdefault(trial_settings.describe_settings(trial, keys), []).append(trial)
        usual = max(parts, key=lambda part: (len(parts[part]), part))
        for part, mine in parts.items():
            found[label if part == usual else f"{label} ({part})"] = mine
    return found


def _rank_of_repeat(trial: Trial) -> tuple[bool, bool, str]:
    return trial.state == FINISHED, trial.state != FAILED, str(trial.run.summary.get("finished", ""))


def _each_seed_once(arm: str, trials: Sequence[Trial], notes: list[str]) -> tuple[Trial, ...]:
    """Keep each seed of an arm once at each rate: of repeats a finished one, else one that runs, that ended last."""
    found: dict[tuple[float | None, str], list[Trial]] = {}
    for trial in trials:
        found.setdefault((trial.rate, trial.seed), []).append(trial)
    kept, repeats = [], []
    for (rate, seed), same in found.items():
        best = max(same, key=_rank_of_repeat)
        others = [trial.name for trial in same if trial is not best]
        at = f" at lr {formatting.format_rate(rate)}" if rate is not None else ""
        if others:
            told = f"{arm}{at}, seed {seed}: {best.name} counts, not {formatting.join_names(others)}"
            repeats.append((told, _why_repeat_counts(best)))
        kept.append(best)
    if repeats:
        more = f"; {len(repeats) - 1} more of this arm likewise" if len(repeats) > 1 else ""
        told, why = repeats[0]
        notes.append(f"{told} ({why}){more}.")
    return tuple(sorted(kept, key=lambda trial: (trial.rate or 0.0, _seed_order(trial.seed))))


def _why_repeat_counts(kept: Trial) -> str:
    """Why this one of an arm's runs of one seed counts; when another tool's run ended is not known."""
    known = "finished" in kept.run.summary
    return f"finished runs before others, then {'the one that ended last' if known else 'the first by name'}"


def _seed_order(seed: str) -> tuple[bool, int, str]:
    """The order of the seeds inside an arm: numbers by value, then texts."""
    return not seed.isdigit(), int(seed) if seed.isdigit() else 0, seed


def settings_that_name_arms(by: Sequence[str], trials: Sequence[Trial]) -> tuple[str, ...]:
    """Return the settings of `--by`: `algorithm` means `algorithm.name`; UserError for one that no run has."""
    if not by:
        raise UserError("--by", "", "names no setting.", "For example algorithm.")
    known = sorted({key for trial in trials for key in trial.settings})
    found = []
    for word in map(configuration.current_key_name, by):
        key = next((one for one in (word, f"{word}.name") if one in known), None)
        if key is None:
            raise UserError(
                "--by",
                word,
                "no run has such a setting.",
                configuration.nearest_names(word, trial_settings.varying_settings(trials)),
            )
        found.append(key)
    return tuple(dict.fromkeys(found))


def arm_label(trial: Trial, keys: Sequence[str]) -> str:
    """Return the label of a run's arm: the values of the keys, a word bare and a number with its key."""
    parts = []
    for key in keys:
        value = trial_settings.trial_setting_text(key, trial.settings.get(key))
        bare = key.endswith((".name", "path")) or isinstance(trial.settings.get(key), str)
        parts.append(value if bare else f"{key.rpartition('.')[2]}={value}")
    return ", ".join(parts)
