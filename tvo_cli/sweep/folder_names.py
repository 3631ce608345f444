"""Folder names of a sweep and of its jobs: the same for the same command, short, readable by Hydra without quotes."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tvo_cli.config import NOT_THE_EXPERIMENT, split_override
from tvo_cli.errors import UserError

LONGEST = 80
NAMING = ("experiment_name", "run_name", "output_dir")  # keys that name the folder of a sweep


def register_folder_name_resolvers() -> None:
    """Register the resolvers `sweep_dir` and `sweep_name`, for conf/hydra/output."""
    from omegaconf import OmegaConf

    OmegaConf.register_new_resolver("sweep_dir", sweep_folder_name, replace=True)
    OmegaConf.register_new_resolver("sweep_name", job_folder_name, replace=True)


def sweep_folder_name(overrides: Sequence[str], experiment: str, *, _root_: Any = None) -> str:
    """Return the folder of a sweep: as `output_dir` or `run_name` says, else one that its settings name.

    `outputs/<experiment>/<run_name>`, or `<swept keys>-<hash>`: the hash is of the root config, the fixed overrides
    and the swept keys, not of the swept values. The same command finds it again, and so does one with more seeds.
    """
    given = [word for word in overrides if split_override(word)[0] == "output_dir"]
    if given:
        return _text_of_override(given[-1])
    if name := _run_name_of_sweep(_root_):
        return f"outputs/{experiment}/{name}"
    fixed, swept = fixed_and_swept_in_folder_name([*overrides, *sweeper_parameters_in_folder_name(_root_)])
    facts = [root_config_of_folder_name(_root_), sorted(fixed), sorted(swept)]
    digest = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:6]
    name = "+".join(_without_special_characters(short_key(key, swept)) for key in swept) or "sweep"
    return f"outputs/{experiment}/{name[:LONGEST]}-{digest}"


def _text_of_override(word: str) -> str:
    """Return the text that an override gives, its quotes and backslashes read as Hydra reads them."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import OverrideParseException

    try:
        value = OverridesParser.create().parse_override(word).value()
    except OverrideParseException:  # explained where Hydra reads it
        value = None
    return value if isinstance(value, str) else split_override(word)[1]


def _run_name_of_sweep(root: Any) -> str:
    """Return the run_name that somebody has set for a sweep; a name made of settings (`${…}`) is a single run's."""
    from omegaconf import OmegaConf

    if root is None or OmegaConf.is_interpolation(root, "run_name"):
        return ""
    return str(OmegaConf.select(root, "run_name") or "")


def check_folder_is_named_once(overrides: Sequence[str], *, multirun: bool) -> None:
    """Refuse output_dir beside Hydra's own key of the folder, which would win without a word, and swept names.

    Raises:
        UserError: they name two folders, or a sweep is given several names, or one made of its jobs' settings.
    """
    for word in overrides if multirun else ():
        _check_sweep_has_one_name(word)
    given = dict(map(split_override, overrides))
    key = "hydra.sweep.dir" if multirun else "hydra.run.dir"
    if {"output_dir", key} <= given.keys() and given["output_dir"] != given[key]:
        problem = f"{key}={given[key]} names another folder, and Hydra would take that one."
        raise UserError("output_dir", given["output_dir"], problem, "Give one of the two.")


def _check_sweep_has_one_name(word: str) -> None:
    """Refuse `run_name=a,b` and `run_name=${…}` in a sweep: its jobs' folders are named by their settings."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import OverrideParseException

    key, value = split_override(word)
    if key not in NAMING:
        return
    try:
        swept = OverridesParser.create().parse_override(word).is_sweep_override()
    except OverrideParseException:  # explained where Hydra reads it
        return
    if swept or (key == "run_name" and "${" in value):
        problem = "a sweep has one folder, in which each job's own is named by its settings."
        raise UserError(key, value, problem, f"Give one name, {key}=NAME, or leave it out.")


def folder_of_sweep(overrides: Sequence[str], first: Any, root: str) -> Path:
    """Return the folder that a command's sweep has, without starting Hydra for it; `first`: its first job's config."""
    from omegaconf import OmegaConf

    from tvo_cli.config import sweep_parameters

    swept = dict(map(split_override, sweep_parameters(overrides, root)))
    node = OmegaConf.create({"hydra": {"sweeper": {"params": swept}, "job": {"config_name": root}}})
    node.run_name = _run_name_of_sweep(first)
    task = [word for word in overrides if not word.lstrip("+~").startswith("hydra")]
    return Path(sweep_folder_name(task, str(first.experiment_name), _root_=node))


def job_folder_name(overrides: Sequence[str], number: int, hidden: Sequence[str] = ()) -> str:
    """Return a job's folder in a sweep: `tvo+s0+lr-1e-4`; without what is the same in all, `hidden`.

    Without `=`, `,` and `/`: the folder's path can then stand in an override without quotes.
    """
    pairs = [pair for pair in map(split_override, overrides) if not _is_left_out_of_folder_name(pair[0])]
    shown = [pair for pair in pairs if pair[0] not in hidden] or pairs
    name = "+".join(_folder_name_part(key, value, [key for key, _ in shown]) for key, value in shown) or f"job-{number}"
    if len(name) <= LONGEST:
        return name
    return f"{name[: LONGEST - 11]}-{hashlib.sha256(name.encode()).hexdigest()[:10]}"


def fixed_and_swept_in_folder_name(overrides: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the fixed overrides of a command as they stand, and the keys that it sweeps."""
    from hydra.core.override_parser.overrides_parser import OverridesParser

    fixed, swept = [], []
    for word, parsed in zip(overrides, OverridesParser.create().parse_overrides(list(overrides)), strict=True):
        key = split_override(word)[0]
        if _is_left_out_of_folder_name(key):
            continue
        if parsed.is_sweep_override():
            swept.append(key)
        else:
            fixed.append(word)
    return fixed, list(dict.fromkeys(swept))


def sweeper_parameters_in_folder_name(root: Any) -> list[str]:
    """Return what `hydra.sweeper.params` adds to the command line of a sweep."""
    from omegaconf import OmegaConf

    found = OmegaConf.select(root, "hydra.sweeper.params") if root is not None else None
    return [f"{key}={value}" for key, value in (found or {}).items()]


def root_config_of_folder_name(root: Any) -> str:
    """Return the config the sweep's command starts from: train, eval, variance …"""
    from omegaconf import OmegaConf

    return str(OmegaConf.select(root, "hydra.job.config_name")) if root is not None else ""


def short_key(key: str, others: Sequence[str]) -> str:
    """Return a key's short name in a folder name: `optimizer.lr` → `lr`, unless another key ends alike."""
    last = key.rpartition(".")[2]
    return last if sum(other.rpartition(".")[2] == last for other in others) < 2 else key


def _is_left_out_of_folder_name(key: str) -> bool:
    """Return whether a key is no part of the experiment."""
    return key.partition(".")[0] in NOT_THE_EXPERIMENT


def _folder_name_part(key: str, value: str, keys: Sequence[str]) -> str:
    """Return a setting's part of a folder name: `tvo` for a group, `s0` for a seed, `lr-1e-4` for the rest."""
    worth = Path(value).name if "/" in value else value
    if short_key(key, keys) == "seed":
        return _without_special_characters(f"s{worth}")
    if "." not in key and not re.match(r"[\d.+-]|true|false|null", worth, re.IGNORECASE):
        return _without_special_characters(worth)
    return _without_special_characters(f"{short_key(key, keys)}-{worth}")


def _without_special_characters(word: str) -> str:
    return re.sub(r"[^\w.-]+", "_", word).strip("_")
