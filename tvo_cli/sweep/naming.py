"""Folders of a sweep: found again by the same command, short, and readable without quotes by Hydra."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tvo_cli.config import NOT_THE_EXPERIMENT, split_override

LONGEST = 80


def register() -> None:
    """`sweep_dir` and `sweep_name`, for conf/hydra/output."""
    from omegaconf import OmegaConf

    OmegaConf.register_new_resolver("sweep_dir", sweep_dir, replace=True)
    OmegaConf.register_new_resolver("sweep_name", sweep_name, replace=True)


def sweep_dir(overrides: Sequence[str], experiment: str, *, _root_: Any = None) -> str:
    """The folder of a multirun: `output_dir` when the command line names one, else one that its settings name.

    `outputs/<experiment>/<swept keys>-<hash>`; the hash is of the root config, the fixed overrides and the swept
    keys, not of the swept values. The same command finds the folder again, and so does one with more seeds.
    """
    given = [value for key, value in map(split_override, overrides) if key == "output_dir"]
    if given:
        return given[-1]
    fixed, swept = apart([*overrides, *parameters(_root_)])
    facts = [root_name(_root_), sorted(fixed), sorted(swept)]
    digest = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:6]
    name = "+".join(_tame(short_key(key, swept)) for key in swept) or "sweep"
    return f"outputs/{experiment}/{name[:LONGEST]}-{digest}"


def sweep_name(overrides: Sequence[str], number: int, hidden: Sequence[str] = ()) -> str:
    """A job's folder in a multirun: `tvo+s0+lr-1e-4`; without what is the same in all, `hidden`.

    Without `=`, `,` and `/`: the folder's path can then stand in an override without quotes.
    """
    pairs = [pair for pair in map(split_override, overrides) if not _outside(pair[0])]
    shown = [pair for pair in pairs if pair[0] not in hidden] or pairs
    name = "+".join(_part(key, value, [key for key, _ in shown]) for key, value in shown) or f"job-{number}"
    if len(name) <= LONGEST:
        return name
    return f"{name[: LONGEST - 11]}-{hashlib.sha256(name.encode()).hexdigest()[:10]}"


def apart(overrides: Sequence[str]) -> tuple[list[str], list[str]]:
    """The fixed overrides of a command as they stand, and the keys that it sweeps; names and loggers are neither."""
    from hydra.core.override_parser.overrides_parser import OverridesParser

    fixed, swept = [], []
    for word, parsed in zip(overrides, OverridesParser.create().parse_overrides(list(overrides)), strict=True):
        key = split_override(word)[0]
        if _outside(key):
            continue
        if parsed.is_sweep_override():
            swept.append(key)
        else:
            fixed.append(word)
    return fixed, list(dict.fromkeys(swept))


def parameters(root: Any) -> list[str]:
    """What `hydra.sweeper.params` adds to the command line."""
    from omegaconf import OmegaConf

    found = OmegaConf.select(root, "hydra.sweeper.params") if root is not None else None
    return [f"{key}={value}" for key, value in (found or {}).items()]


def root_name(root: Any) -> str:
    """The config the command starts from: train, eval, variance …"""
    from omegaconf import OmegaConf

    return str(OmegaConf.select(root, "hydra.job.config_name")) if root is not None else ""


def short_key(key: str, others: Sequence[str]) -> str:
    """`optimizer.lr` → `lr`, unless another key ends alike."""
    last = key.rpartition(".")[2]
    return last if sum(other.rpartition(".")[2] == last for other in others) < 2 else key


def _outside(key: str) -> bool:
    """Whether a key is no part of the experiment."""
    return key.partition(".")[0] in NOT_THE_EXPERIMENT


def _part(key: str, value: str, keys: Sequence[str]) -> str:
    """`tvo` for a group, `s0` for a seed, `lr-1e-4` for the rest."""
    worth = Path(value).name if "/" in value else value
    if short_key(key, keys) == "seed":
        return _tame(f"s{worth}")
    if "." not in key and not re.match(r"[\d.+-]|true|false|null", worth, re.IGNORECASE):
        return _tame(worth)
    return _tame(f"{short_key(key, keys)}-{worth}")


def _tame(word: str) -> str:
    return re.sub(r"[^\w.-]+", "_", word).strip("_")
