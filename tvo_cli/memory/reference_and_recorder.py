"""Copies of the model that a run can do without: the frozen reference, and what the flight recorder holds.

`auto` keeps a copy where something needs it, or where it is small; it says in one line which of these it was, and with
which key the other is had.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from tvo_cli import config as configuration
from tvo_cli.byte_sizes import format_bytes

REFERENCE_READING = "policy/kl_ref"
REFERENCE_AT_MOST = 100e6  # bytes: a network of this size costs neither memory nor time that matter
RECORDER_AT_MOST = 1e9  # bytes a step: copied in a fraction of a second
AUTO = "auto"


class CopyChoice(NamedTuple):
    """Whether a copy is kept, and why."""

    kept: bool
    reason: str


class RecorderChoice(NamedTuple):
    """Whether the flight recorder holds the state before each step for a collapse, and for what is not finite."""

    collapse: CopyChoice
    nonfinite: CopyChoice
    steps: tuple[int, ...]  # asked for by number

    @property
    def held(self) -> CopyChoice:
        """Whether it holds the state before any step at all."""
        if self.collapse.kept or self.nonfinite.kept:
            return self.collapse if self.collapse.kept else self.nonfinite
        return CopyChoice(True, "recorder.steps") if self.steps else self.collapse


def choose_reference(
    setting: bool | str,
    *,
    required: bool,
    named: Sequence[str] = (),
    copy_bytes: float,
    network_bytes: float | None = None,
) -> CopyChoice:
    """Choose whether the frozen reference is kept.

    Args:
        setting: stability.reference: auto, true or false.
        required: whether a KL to the reference is part of what is optimised.
        named: what the user has named that reads the reference; see `readers_of_reference`.
        copy_bytes: what a reference takes besides the policy: beside an adapter, whose base it is, nothing.
        network_bytes: the weights that its forward over every batch reads; None: those of the copy.
    """
    size, read = format_bytes(copy_bytes), copy_bytes if network_bytes is None else network_bytes
    if required:
        return CopyChoice(True, "the algorithm's KL term needs it")
    if setting != AUTO:
        return CopyChoice(bool(setting), f"stability.reference={str(bool(setting)).lower()}")
    if named:
        return CopyChoice(True, f"{', '.join(named)} reads {REFERENCE_READING}")
    if max(copy_bytes, read) <= REFERENCE_AT_MOST:
        return CopyChoice(True, f"{size} for {REFERENCE_READING}")
    cost = size if copy_bytes >= read else f"a forward of {format_bytes(read)} of weights over every batch"
    return CopyChoice(
        False, f"no loss needs it and it takes {cost}; stability.reference=true keeps it for {REFERENCE_READING}"
    )


def choose_recorder(node: Any, copy_bytes: float) -> RecorderChoice:
    """Choose what the flight recorder holds; `node`: the config's `recorder`, `copy_bytes`: of one copy."""
    keys = ("on_collapse", "on_nonfinite")
    first, second = (_choose_recorded_state(node[key], f"recorder.{key}", copy_bytes) for key in keys)
    return RecorderChoice(first, second, tuple(map(int, node.steps)))


def copies_left_out(config: Any, reference: CopyChoice, recorder: RecorderChoice) -> Iterator[str]:
    """Yield a line for each copy that `auto` leaves out."""
    if not reference.kept and config.stability.reference == AUTO:
        yield f"no KL reference: {reference.reason}"
    if not recorder.collapse.kept and config.recorder.on_collapse == AUTO:
        yield f"no flight recorder: {recorder.collapse.reason}"


def _choose_recorded_state(setting: bool | str, key: str, copy_bytes: float) -> CopyChoice:
    """Choose whether the recorder copies the state before each step for one of its reasons."""
    if setting != AUTO:
        return CopyChoice(bool(setting), f"{key}={str(bool(setting)).lower()}")
    size = format_bytes(copy_bytes)
    if copy_bytes <= RECORDER_AT_MOST:
        return CopyChoice(True, f"a copy of {size} before each step")
    return CopyChoice(False, f"it would copy {size} before each step; {key}=true does it")


def readers_of_reference(config: Any) -> list[str]:
    """Return whom the reference's copy is held for: collapse rules no preset has, the sweep's objective."""
    rules = [name for name, rule in _rules_on_reference(config) if dict(rule) not in _rules_of_presets(name)]
    objective = str(config.get("sweep_objective") or "")
    return [*rules, *([f"sweep_objective={objective}"] if objective.startswith(REFERENCE_READING) else [])]


def _rules_on_reference(config: Any) -> Iterator[tuple[str, Any]]:
    """The collapse rules of a config that read the reference, for which its copy is held."""
    for name, rule in config.stability.rules.items():
        if rule is not None and str(rule.get("metric", "")).startswith(REFERENCE_READING):
            yield str(name), rule


def _rules_of_presets(name: str) -> list[dict[str, Any]]:
    """Return the settings that the choices of conf/stability/ give a rule, to tell whether the copy is meant."""
    first, *presets = _rules_by_preset(configuration.conf_dir() / "stability")
    return [{**first.get(name, {}), **rules.get(name, {})} for rules in presets]


@lru_cache(maxsize=4)
def _rules_by_preset(folder: Path) -> list[dict[str, dict[str, Any]]]:
    """Return the rules of each choice of conf/stability/ by name, to tell whether the user asked for a reference."""
    from omegaconf import OmegaConf

    trees: list[Any] = [
        OmegaConf.load(folder / f"{choice}.yaml")
        for choice in ("default", *configuration.choices_of_group("stability", folder.parent))
    ]
    return [{str(name): dict(rule or {}) for name, rule in (tree.get("rules") or {}).items()} for tree in trees]
