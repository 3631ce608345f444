"""Configs as flat settings: which differ inside an arm, which differ between arms, which were meant to."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from tvo_cli import config as configuration
from tvo_cli.compare.runs.run_record import RATE, Trial, as_number
from tvo_cli.errors import UserError

SEEDED = "seed"
HARMLESS = (  # where and how a run is done, not what is done
    *("trainer.threads", "trainer.device", "trainer.keep", "trainer.resume", "trainer.checkpoint_every"),
    *("trainer.microbatch_rows", "trainer.precision", "trainer.deterministic", "rollout.batch_size"),
    *("trainer.microbatch_tokens", "trainer.matmul"),
    *("reward.workers", "reward.deadline", "reward.memory_mb", "evaluation.every", "evaluation.at_start"),
)
HARMLESS_PARTS = ("evaluated", "recorder.", "resume.", "evaluation.confidence", "trainer.checkpoint")
ABSENT = "—"


def flat(tree: Any, prefix: str = "") -> dict[str, Any]:
    """Dotted keys with scalars; lists as JSON; without what names or logs a run."""
    found: dict[str, Any] = {}
    for name, value in tree.items() if isinstance(tree, Mapping) else ():
        if not prefix and name in configuration.NOT_THE_EXPERIMENT:
            continue
        if isinstance(value, Mapping) and value:
            found |= flat(value, f"{prefix}{name}.")
        else:
            found[configuration.current_name(f"{prefix}{name}")] = (
                json.dumps(value) if isinstance(value, list | Mapping) else value
            )
    return found


def harmless(key: str) -> bool:
    """Whether a setting cannot change what is compared, except its time."""
    return key in HARMLESS or key.startswith(HARMLESS_PARTS)


def resolve(by: Sequence[str], trials: Sequence[Trial]) -> tuple[str, ...]:
    """The settings that name the arms: `algorithm` means `algorithm.name`; UserError for one that no run has."""
    known = sorted({key for trial in trials for key in trial.settings})
    found = []
    for word in by:
        key = next((one for one in (word, f"{word}.name") if one in known), None)
        if key is None:
            raise UserError("--by", word, "no run has such a setting.", configuration.nearest(word, _varying(trials)))
        found.append(key)
    return tuple(dict.fromkeys(found))


def _varying(trials: Sequence[Trial]) -> list[str]:
    keys = {key for trial in trials for key in trial.settings}
    return sorted(key for key in keys if len({text(trial.settings.get(key)) for trial in trials}) > 1)


def label(trial: Trial, keys: Sequence[str]) -> str:
    """The arm of a run: the values of the keys, a word bare and a number with its key."""
    parts = []
    for key in keys:
        value = text(trial.settings.get(key))
        bare = key.endswith((".name", "path")) or isinstance(trial.settings.get(key), str)
        parts.append(value if bare else f"{key.rpartition('.')[2]}={value}")
    return ", ".join(parts)


def described(trial: Trial, keys: Sequence[str]) -> str:
    """`rollout.epochs=2, dataset.name=addition`."""
    return ", ".join(f"{key}={text(trial.settings.get(key))}" for key in keys)


def varying_inside(arms: Iterable[Sequence[Trial]], fixed: Sequence[str]) -> tuple[str, ...]:
    """Settings that differ between runs of one arm, other than the seed, the rate, and what only follows them."""
    found: set[str] = set()
    for trials in arms:
        followers = (SEEDED, RATE)
        for key in _varying(trials):
            skipped = key in (*fixed, *followers) or harmless(key)
            if not skipped and not any(_follows(key, other, trials) for other in followers):
                found.add(key)
    return tuple(sorted(found))


def _follows(key: str, other: str, trials: Sequence[Trial]) -> bool:
    """Whether two settings say the same: each value of one goes with one value of the other."""
    pairs = {(text(trial.settings.get(key)), text(trial.settings.get(other))) for trial in trials}
    return len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs}) > 1


def essential(keys: Sequence[str], trials: Sequence[Trial]) -> tuple[str, ...]:
    """The fewest of the keys that still tell all the settings apart, names first."""
    kept: list[str] = []
    for key in sorted(keys, key=lambda one: (not one.endswith(".name"), one)):
        if not any(_follows(key, other, trials) for other in kept):
            kept.append(key)
    return tuple(kept)


class Differing(NamedTuple):
    """A setting in which arms differ."""

    key: str
    values: tuple[str, ...]  # one an arm, in their order
    why: str  # compared, brought by the algorithm, the rate, harmless, or not intended


def differing(arms: Mapping[str, Sequence[Trial]], by: Sequence[str]) -> tuple[Differing, ...]:
    """All settings in which the arms differ, what was not intended first."""
    keys = sorted({key for trials in arms.values() for trial in trials for key in trial.settings})
    found = []
    for key in keys:
        sets = [_values(trials, key) for trials in arms.values()]
        if key != SEEDED and len(set(sets)) > 1:
            found.append(Differing(key, tuple(sets), _why(key, by, arms)))
    order = ("not intended", "the rate", "compared", "brought by the algorithm", "harmless")
    return tuple(sorted(found, key=lambda one: (order.index(one.why), one.key)))


def _why(key: str, by: Sequence[str], arms: Mapping[str, Sequence[Trial]]) -> str:
    group = {one.rpartition(".")[0] + "." for one in by if one.endswith(".name")}
    if key in by:
        return "compared"
    if key == RATE:
        return "the rate"
    if any(key.startswith(one) for one in group) or (key in _brought(by, arms)):
        return "brought by the algorithm" if key.startswith("algorithm.") or key in _brought(by, arms) else "compared"
    return "harmless" if harmless(key) else "not intended"


def _brought(by: Sequence[str], arms: Mapping[str, Sequence[Trial]]) -> set[str]:
    """Settings outside `algorithm` that the yaml of a compared algorithm sets."""
    if "algorithm.name" not in by:
        return set()
    names = {str(trial.settings.get("algorithm.name")) for trials in arms.values() for trial in trials}
    return {key for name in names for key in brought_by(name)}


def brought_by(name: str) -> set[str]:
    """What conf/algorithm/NAME.yaml and the parts it is made of set outside `algorithm`."""
    from tvo_cli.report.runs import yaml_mapping

    path = configuration.conf_dir() / "algorithm" / f"{name}.yaml"
    if not path.is_file():
        return set()
    tree = yaml_mapping(path.read_text(encoding="utf-8"))
    parts = [part for part in tree.pop("defaults", []) if isinstance(part, str) and part != "_self_"]
    found = {key for key in flat(tree) if not key.startswith("algorithm.")}
    return found.union(*(brought_by(part) for part in parts))


def _values(trials: Sequence[Trial], key: str) -> str:
    texts = {text(trial.settings.get(key)) for trial in trials}
    return ", ".join(sorted(texts, key=_order))


def _order(text: str) -> tuple[int, float, str]:
    try:
        return 0, float(text), text
    except ValueError:
        return 1, 0.0, text


def text(value: Any) -> str:
    """A setting's value as it is shown; a number in its shortest form, of whichever type it was written."""
    if value is None:
        return ABSENT
    found = as_number(value) if isinstance(value, float | str) else None
    return str(value) if found is None else f"{found:g}"
