"""Errors of a model that cannot be loaded: what was wrong in one line, and what to do about it."""

from __future__ import annotations

from pathlib import Path

from tvo_cli.errors import UserError
from tvo_cli.fetch.catalogue import fetch_remedy
from tvo_cli.model.model_files.policy_checkpoint import CHECKPOINTS


def unloadable_model(path: object, place: str, error: Exception) -> UserError:
    """The error of a model that cannot be loaded from the place that its path means."""
    if is_removed_checkpoint(place):
        problem = (
            f"{Path(place).parent.name} was removed while it was loaded: the run goes on, and keeps few checkpoints."
        )
        remedy = "The same command takes the newest one; a larger trainer.keep leaves them longer."
        return UserError("model.path", path, problem, remedy)
    return UserError("model.path", path, loading_error_line(error), loading_remedy(place))


def is_removed_checkpoint(place: str) -> bool:
    """Whether a place is that of a policy in a run's checkpoints, and not there any more."""
    return Path(place).parts[-3:-2] == (CHECKPOINTS,) and not Path(place).is_dir()


def loading_error_line(error: Exception) -> str:
    """What was wrong with a model's files, in one line of what transformers raised."""
    lines = str(error).strip().splitlines()
    return f"cannot be loaded ({lines[0] if lines else type(error).__name__})"


def loading_remedy(place: str) -> str:
    """What to do about a model's location, folder or hub id, that nothing can be loaded from."""
    if Path(place).is_dir():
        return "The folder must hold a transformers causal LM with its tokenizer."
    return " ".join(("Check the id and the network, or give a local folder.", fetch_remedy(place))).strip()
