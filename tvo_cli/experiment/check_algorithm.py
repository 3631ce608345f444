"""`tvo check-algorithm`: an algorithm of the user's held against the contract, and a small run of it resumed."""

from __future__ import annotations

import inspect
import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from omegaconf import DictConfig

from tvo_cli import config as configuration
from tvo_cli.checkpoint.tensor_fingerprint import fingerprint_of_tensors
from tvo_cli.config.cross_key_checks import check_across_keys
from tvo_cli.errors import UserError
from tvo_cli.experiment.algorithm_contract import NOT_RUN, broken_checks, contract_error_text
from tvo_cli.experiment.run_training import train
from tvo_cli.plugins import plugin_loading, register, registry
from tvo_cli.plugins.code_sources import is_file_name, module_of_reference
from tvo_cli.plugins.own_code_loading import load_callable

__all__ = ["NOT_RUN", "algorithm_to_check", "check_algorithm"]
KEY = "ALGORITHM"
RESUMED = "a run of four steps and the same stopped after two and resumed end at the same weights"
STEPS = 4  # of the small run; checkpoints lie at half of them and at the end
SMALL = (
    *("logger=none", "logger.console=off", "evaluation=off", "stability=off", "trainer.threads=1", "recorder=off"),
    *("rollout.prompts=8", "rollout.samples=2", "rollout.epochs=2", "rollout.minibatches=2"),
    *("trainer.checkpoint_every=2", "trainer.device=cpu", "trainer.variance_parts=2"),
)


def algorithm_to_check(reference: str, words: Sequence[str], piece: str | None, start: str) -> list[str]:
    """The overrides that choose an algorithm: a choice by its name, or one made of `mine.py:my_weight`.

    Raises:
        UserError: there is no such choice or function; a piece is named for a choice that has its own.
    """
    if ":" not in reference:
        if piece is not None:
            raise UserError("--piece", piece, "is for a function: mine.py:my_weight.", "Leave it out.")
        return [f"algorithm={reference}", *words]
    module = module_of_reference(reference)
    plugin = module if is_file_name(module) else module.partition(".")[0]
    plugin_loading.load_plugin(KEY, plugin)
    made_of = load_callable(KEY, reference)
    name = _registered_name(made_of) if piece is None else None
    if name is None:
        name = f"checked_{made_of.__name__}"
        register.algorithm(name, piece=piece or _likely_piece(made_of), start=start)(made_of)
        plugin_loading.write_registrations(KEY, plugin)
    return [f"algorithm={name}", *words, f"plugins=['{plugin}']"]


def _registered_name(made_of: Any) -> str | None:
    """The name under which the user's algorithm that is checked is registered."""
    found = registry.registrations_of(made_of.__module__)
    return next((one.name for one in found if one.made_of is made_of and one.group == "algorithm"), None)


def _likely_piece(made_of: Any) -> str:
    """The piece that a function or class which nobody registered is: by how many tensors it is called with."""
    if inspect.isclass(made_of):
        return "step_rule" if hasattr(made_of, "viscosity") else "estimator"
    given = [one for one in inspect.signature(made_of).parameters.values() if one.kind is not one.KEYWORD_ONLY]
    return "surrogate" if len(given) == 2 else "weight"


def check_algorithm(words: Sequence[str], *, runs: bool) -> Iterator[tuple[str, str]]:
    """Each check's sentence and what breaks it, "" where it holds; a run is tried where all others hold."""
    config = configuration.compose([*words, *SMALL, f"trainer.steps={STEPS}", "output_dir=unused"])
    check_across_keys(config)
    whole = True
    for sentence, trouble in broken_checks(config.algorithm):
        whole = whole and not trouble
        yield sentence, trouble
    if whole and runs:
        yield RESUMED, _trouble_of_resumed_run(words)


def _trouble_of_resumed_run(words: Sequence[str]) -> str:
    """What is wrong with a run whose last two steps are lost and made again: its schedules know of all four."""
    with TemporaryDirectory(prefix="tvo-check-") as place, suppress(KeyboardInterrupt):
        whole, stopped = Path(place, "whole"), Path(place, "stopped")
        try:
            once = _trained(whole, words)
            shutil.copytree(whole, stopped)
            shutil.rmtree(_checkpoint_of_small_run(stopped, STEPS))
            return "" if _trained(stopped, words) == once else "they end at other weights"
        except Exception as error:  # own code may raise anything
            return contract_error_text(error)
    return "interrupted"


def _trained(folder: Path, words: Sequence[str]) -> str:
    """The sha256 of the weights at the end of a run in a folder."""
    from safetensors.torch import load_file

    config: DictConfig = configuration.compose([*words, *SMALL, f"trainer.steps={STEPS}", "output_dir=unused"])
    config.output_dir = str(folder)
    train(config)
    weights = load_file(_checkpoint_of_small_run(folder, STEPS) / "policy" / "model.safetensors")
    return fingerprint_of_tensors(sorted(weights.items()))


def _checkpoint_of_small_run(folder: Path, step: int) -> Path:
    """The checkpoint that `tvo check-algorithm`'s small run has written at a step."""
    return folder / "checkpoints" / f"step-{step:06d}"
