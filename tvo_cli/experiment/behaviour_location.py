"""Where the policy of `behaviour` is, before anything is loaded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tvo_cli.errors import UserError
from tvo_cli.model.model_files.model_location import model_location

if TYPE_CHECKING:
    from omegaconf import DictConfig


def check_behaviour(config: DictConfig) -> None:
    """Refuse a behaviour policy that is not there."""
    if config.behaviour:
        with said_of_behaviour():
            model_location(node_of_behaviour(config))


def node_of_behaviour(config: DictConfig) -> dict[str, Any]:
    """The measured model's settings, of another path."""
    return {**dict(config.model), "path": config.behaviour, "revision": None, "checkpoint": "last"}


@contextmanager
def said_of_behaviour() -> Iterator[None]:
    """Inside: what is wrong with a model's path is said of the key that named this one."""
    try:
        yield
    except UserError as error:
        if error.key != "model.path":
            raise
        raise UserError("behaviour", error.value, error.problem, error.remedy) from error
