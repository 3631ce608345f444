"""What `tvo check-algorithm` checks: the overrides that choose an algorithm, its small run's config; without torch."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tvo_cli import config as configuration
from tvo_cli.errors import UserError
from tvo_cli.plugins import plugin_loading, register, registry
from tvo_cli.plugins.code_sources import is_file_name, module_of_reference
from tvo_cli.plugins.own_code_loading import load_callable

if TYPE_CHECKING:
    from omegaconf import DictConfig

KEY = "ALGORITHM"
STEPS = 4  # of the small run; checkpoints lie at half of them and at the end
SMALL = (
    *("logger=none", "logger.console=off", "evaluation=off", "stability=off", "trainer.threads=1", "recorder=off"),
    *("rollout.prompts=8", "rollout.samples=4", "rollout.epochs=2", "rollout.minibatches=2"),
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


def small_run_config(words: Sequence[str]) -> DictConfig:
    """The config of a small run of the algorithm that these overrides choose; what cannot be composed is refused."""
    return configuration.compose([*words, *SMALL, f"trainer.steps={STEPS}", "output_dir=unused"])
