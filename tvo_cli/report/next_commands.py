"""The next commands after a run: the replay of a collapse, an evaluation of the trained policy, a rival's training."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping, Sequence
from itertools import pairwise, takewhile
from pathlib import Path
from typing import Any

from tvo_cli.config import split_override
from tvo_cli.config.default_suite import HELDOUT_SUITE, is_run_of_default_suite
from tvo_cli.config.overrides import hydra_override, shell_override
from tvo_cli.config.rerun_command import ENVIRONMENT
from tvo_cli.redaction import MASK
from tvo_cli.report.run_folder_reading import LoadedRun, collapse_firings
from tvo_cli.tracking.recorded_steps import recorded_steps

FLAGS = ("--config-dir", "-cd", "--config-name", "-cn", "--config-path", "-cp")  # of Hydra, with a value
OWN = ("algorithm", "output_dir", "run_name", "resume", "hydra")  # settings that another run must not take over
Command = list[str]  # words, each quoted for a shell where it needs to be
LOST = ("path", "revision", "checkpoint")  # of the model: the trained one is another


def next_commands(run: LoadedRun, policy: Path | None) -> list[Command]:
    """Return the next commands: replay a collapse, evaluate what was trained, export it, train a rival on the same."""
    evaluation = [next_evaluation_command(run, policy)] if policy and _holds_out_problems(run.config) else []
    export = [next_export_command(run, policy)] if policy else []
    return [*next_replay_commands(run), *evaluation, *export, next_training_command(run)]


def next_replay_commands(run: LoadedRun) -> list[Command]:
    """Return the command that shows the step in which a collapse began, as far as the flight recorder kept it."""
    fired = [run.collapse.get("collapsed_at"), *(firing.get("step") for firing in collapse_firings(run))]
    kept = set(recorded_steps(run.folder))
    place = shlex.quote(shortest_path(run.folder))
    return [["tvo", "replay", place, "--step", str(step)] for step in fired if step in kept][:1]


def next_export_command(run: LoadedRun, policy: Path) -> Command:
    """Return the command that makes a hub folder of the trained policy, beside the run; an adapter is merged."""
    place = Path(shortest_path(run.folder))
    out = place.with_name(f"{run.folder.absolute().name}-policy")
    merge = [] if (policy / "config.json").is_file() else ["--merge"]
    return ["tvo", "export", shlex.quote(str(place)), shlex.quote(str(out)), *merge]


def next_training_command(run: LoadedRun) -> Command:
    """Return the run's own command with another algorithm and another folder."""
    rival = "grpo" if run.algorithm != "grpo" else "tvo"
    flags, overrides = _flags_and_overrides_of_run(run)
    of_rival = [word for word in overrides if not word.partition("=")[0].partition("@")[2].startswith("algorithm.")]
    kept = [word for word in of_rival if _key_in_next_command(word).partition(".")[0] not in OWN]
    there = [
        f"output_dir={_folder_of_rival(run, rival)}" for word in overrides if _key_in_next_command(word) == "output_dir"
    ]
    return [
        *_program_of_run(run),
        "train",
        *map(_word_of_next_command, [*flags, f"algorithm={rival}", *kept, *there[:1]]),
    ]


def next_evaluation_command(run: LoadedRun, policy: Path) -> Command:
    """Return the command that evaluates the trained policy on the problems that the run held out, asked as it asked."""
    flags, overrides = _flags_and_overrides_of_run(run)
    chosen = [word for word in overrides if _override_is_for_evaluation(_key_in_next_command(word))]
    words = [*map(_word_of_next_command, [*flags, *chosen]), shell_override("model.path", shortest_path(policy))]
    suite = [] if is_run_of_default_suite(run.config) else [f"evaluation={HELDOUT_SUITE}"]
    return [*_variables_of_run(run), "tvo", "eval", *words, *suite]


def _override_is_for_evaluation(key: str) -> bool:
    """Return whether an evaluation needs the run's override too: of the model, or own code that it loads."""
    return key == "plugins" or (key.partition(".")[0] == "model" and not key.endswith(LOST))


def _holds_out_problems(config: Mapping[str, Any]) -> bool:
    """Return whether the run's data set holds problems out."""
    data = config.get("dataset", {})
    return data.get("kind") != "jsonl" or bool(data.get("test_path")) or data.get("holdout") != 0


def _words_of_run(run: LoadedRun) -> tuple[list[str], list[str]]:
    """Return the program of the run's command, with its launcher, and what follows `train`; empty without one."""
    try:
        words = shlex.split((run.folder / "command.txt").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return [], []
    at = words.index("train") if "train" in words else 0
    return (words[:at], words[at + 1 :]) if at and words[at - 1] in ("tvo", "tvo_cli") else ([], [])


def _program_of_run(run: LoadedRun) -> list[str]:
    """The variables and the program, with its launcher, that the next training's command begins with."""
    variables = _variables_of_run(run)
    return [*variables, *(_words_of_run(run)[0][len(variables) :] or ["tvo"])]


def _variables_of_run(run: LoadedRun) -> Command:
    """Return the environment variables before the run's command, the value of each quoted for a shell."""
    words = takewhile(lambda word: word.partition("=")[0] in ENVIRONMENT, _words_of_run(run)[0])
    return [f"{name}={shlex.quote(value)}" for name, _, value in (word.partition("=") for word in words)]


def _flags_and_overrides_of_run(run: LoadedRun) -> tuple[list[str], list[str]]:
    """Return Hydra's flags and the overrides of the run's command; of a run without one, from its config."""
    words = _words_of_run(run)[1]
    if not words:
        return [], _overrides_from_config(run.config)
    flags = [word for flag, value in pairwise(words) if flag in FLAGS for word in (flag, value)]
    whole = f"={MASK}"  # what a mapping holds besides its secret is a setting, and stays, for the user to fill in
    overrides = [word for word in words if ("=" in word or word.startswith("~")) and not word.endswith(whole)]
    return flags, [word for word in overrides if word not in flags]


def _overrides_from_config(config: Mapping[str, Any]) -> list[str]:
    """Return the overrides of choices that a run without a recorded command must have made."""
    found = []
    for group, default, named in (("model", "tiny", "custom"), ("dataset", "arithmetic", "jsonl")):
        node = config.get(group, {})
        name = str(node.get("name", "?"))
        found += [f"{group}={name}"] if name != default else []
        found += [hydra_override(f"{group}.path", str(node["path"]))] if name == named and node.get("path") else []
    return [*found, *([f"seed={config['seed']}"] if config.get("seed") else [])]


def _folder_of_rival(run: LoadedRun, rival: str) -> str:
    place = Path(shortest_path(run.folder))
    return str(place.with_name(f"{run.folder.absolute().name}-{rival}"))


def _key_in_next_command(word: str) -> str:
    """The key of an override of the run's command, without the group that it takes the choice of."""
    return split_override(word)[0].partition("/")[0]


def _word_of_next_command(word: str) -> str:
    """Return a word of the next command quoted for a shell, in which `~` at its start would be a home."""
    key, _, value = word.partition("=")
    if key == "output_dir":
        return shell_override(key, value)
    return word if re.fullmatch(r"[\w./+=@,:-]+", word) else shlex.quote(word)


def shortest_path(path: Path) -> str:
    """Return a path as short as it can be typed from here."""
    relative = os.path.relpath(path)
    return relative if not relative.startswith("..") else str(path)


def wrap_next_command(words: Sequence[str], room: int) -> list[str]:
    """Return a command in lines that a shell reads as one: each but the last ends with a backslash."""
    lines = [""]
    for word in words:
        if lines[-1] and len(lines[-1]) + len(word) + 3 > room:
            lines[-1] += " \\"
            lines.append("  " + word)
        else:
            lines[-1] += (" " if lines[-1] else "") + word
    return lines
