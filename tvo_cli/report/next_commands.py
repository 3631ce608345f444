"""What to type after a run: commands that run as they stand, and a rival's that is comparable."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from tvo_cli.config import names, split_override
from tvo_cli.redaction import MASK
from tvo_cli.report.runs import Run

FLAGS = ("--config-dir", "-cd", "--config-name", "-cn", "--config-path", "-cp")  # of Hydra, with a value
OWN = ("algorithm", "output_dir", "run_name", "resume", "hydra")  # settings that another run must not take over
Command = list[str]  # words, each quoted for a shell where it needs to be
LOST = ("path", "revision", "checkpoint")  # of the model: the trained one is another


def next_commands(run: Run, policy: Path | None) -> list[Command]:
    """Evaluate what was trained, then train a rival on the same."""
    return [*([evaluation(run, policy)] if policy else []), training(run)]


def training(run: Run) -> Command:
    """The run's own command with another algorithm and another folder."""
    rival = "grpo" if run.algorithm != "grpo" else "tvo"
    flags, overrides = _typed(run)
    kept = [word for word in overrides if _key(word).partition(".")[0] not in OWN]
    there = [f"output_dir={_beside(run, rival)}" for word in overrides if _key(word) == "output_dir"]
    return ["tvo", "train", *map(_word, [*flags, f"algorithm={rival}", *kept, *there[:1]])]


def evaluation(run: Run, policy: Path) -> Command:
    """The trained policy on the suite of the data that it was trained on, where there is one."""
    flags, overrides = _typed(run)
    chosen = [word for word in overrides if _key(word).partition(".")[0] == "model" and not _key(word).endswith(LOST)]
    words = [*map(_word, [*flags, *chosen]), override("model.path", shown(policy)), *_suite(run.config)]
    return ["tvo", "eval", *words]


def remark(config: Mapping[str, Any]) -> str:
    """What must be known of the evaluation's command."""
    data = config.get("dataset", {})
    shared = data.get("kind") == "jsonl" and data.get("path") and not data.get("test_path")
    return f"({data['path']} holds the training rows too: the evaluation above is on rows held out)" if shared else ""


def _suite(config: Mapping[str, Any]) -> Iterator[str]:
    data = config.get("dataset", {})
    name = str(data.get("name", ""))
    if name == "arithmetic" or name not in names("evaluation"):
        return
    yield f"evaluation={name}"
    if data.get("kind") == "jsonl" and (data.get("test_path") or data.get("path")):
        yield override("path", str(data.get("test_path") or data["path"]))
        columns = data.get("columns") or {}
        yield from (
            override(f"evaluation.suites.{name}.dataset.columns.{column}", str(told))
            for column, told in columns.items()
            if told is not None
        )
        yield f"evaluation.suites.{name}.protocol.max_tokens={config.get('rollout', {}).get('max_tokens', 1024)}"


def _typed(run: Run) -> tuple[list[str], list[str]]:
    """Hydra's flags and the overrides of the command that made the run; of a run without one, from its config."""
    try:
        words = shlex.split((run.folder / "command.txt").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        words = []
    if words[:2] != ["tvo", "train"] or len(words) == 2:
        return [], _chosen(run.config)
    flags = [word for flag, value in pairwise(words) if flag in FLAGS for word in (flag, value)]
    overrides = [word for word in words[2:] if ("=" in word or word.startswith("~")) and MASK not in word]
    return flags, [word for word in overrides if word not in flags]


def _chosen(config: Mapping[str, Any]) -> list[str]:
    """The choices that a run without a command must have made."""
    found = []
    for group, default, named in (("model", "tiny", "custom"), ("dataset", "arithmetic", "jsonl")):
        node = config.get(group, {})
        name = str(node.get("name", "?"))
        found += [f"{group}={name}"] if name != default else []
        found += [_plain(f"{group}.path", str(node["path"]))] if name == named and node.get("path") else []
    return [*found, *([f"seed={config['seed']}"] if config.get("seed") else [])]


def _beside(run: Run, rival: str) -> str:
    place = Path(shown(run.folder))
    return str(place.with_name(f"{run.folder.absolute().name}-{rival}"))


def _key(word: str) -> str:
    return split_override(word)[0].partition("/")[0]


def _word(word: str) -> str:
    """A word for a shell; `~` at its start is a deletion for Hydra and a home for a shell."""
    key, _, value = word.partition("=")
    if key == "output_dir":
        return override(key, value)
    return word if re.fullmatch(r"[\w./+=@,:-]+", word) else shlex.quote(word)


def _plain(key: str, value: str) -> str:
    """`key=value` for Hydra alone: quoted where its grammar asks for it."""
    return f"{key}={value}" if re.fullmatch(r"[\w./+-]+", value) else f"{key}='{value}'"


def shown(path: Path) -> str:
    """A path as short as it can be typed from here."""
    relative = os.path.relpath(path)
    return relative if not relative.startswith("..") else str(path)


def override(key: str, value: str) -> str:
    """`key=value` for a shell and for Hydra: quoted when the value has characters that either reads."""
    word = _plain(key, value)
    return word if word == f"{key}={value}" else shlex.quote(word)


def wrapped(words: Sequence[str], room: int) -> list[str]:
    """A command in lines that a shell reads as one: each but the last ends with a backslash."""
    lines = [""]
    for word in words:
        if lines[-1] and len(lines[-1]) + len(word) + 3 > room:
            lines[-1] += " \\"
            lines.append("  " + word)
        else:
            lines[-1] += (" " if lines[-1] else "") + word
    return lines
