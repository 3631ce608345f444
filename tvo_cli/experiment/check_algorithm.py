"""`tvo check-algorithm`: an algorithm of the user's held against the contract, and a small run of it resumed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from tvo_cli.checkpoint.tensor_fingerprint import fingerprint_of_tensors
from tvo_cli.config.cross_key_checks import check_across_keys
from tvo_cli.experiment.algorithm_to_check import STEPS, small_run_config
from tvo_cli.experiment.contract.algorithm_contract import NOT_RUN, broken_checks, contract_error_text
from tvo_cli.experiment.run_training import train

__all__ = ["NOT_RUN", "check_algorithm"]
RESUMED = "a run of four steps and the same stopped after two and resumed end at the same weights"


def check_algorithm(words: Sequence[str], *, runs: bool) -> Iterator[tuple[str, str]]:
    """Each check's sentence and what breaks it, "" where it holds; a run is tried where all others hold."""
    config = small_run_config(words)
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

    config = small_run_config(words)
    config.output_dir = str(folder)
    train(config)
    weights = load_file(_checkpoint_of_small_run(folder, STEPS) / "policy" / "model.safetensors")
    return fingerprint_of_tensors(sorted(weights.items()))


def _checkpoint_of_small_run(folder: Path, step: int) -> Path:
    """The checkpoint that `tvo check-algorithm`'s small run has written at a step."""
    return folder / "checkpoints" / f"step-{step:06d}"
