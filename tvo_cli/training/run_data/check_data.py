"""The faults of a run's data and of the sizes that depend on it, found without its model: for a dry run."""

from __future__ import annotations

from typing import Any

from tvo_cli.errors import UserError
from tvo_cli.memory.longest_prompt import are_prompts_at_hand
from tvo_cli.model.loading.policy_loading import load_config
from tvo_cli.model.loading.tokenizer_loading import load_tokenizer
from tvo_cli.model.model_files.model_location import FRESH
from tvo_cli.model.prompt_check import PromptReader
from tvo_cli.training.run_data.run_problems import check_run_problems


def check_data(config: Any) -> None:
    """Refuse problems that the run would refuse, all faults in one message; nothing where they are not at hand."""
    if are_prompts_at_hand(config):
        reader = PromptReader(
            str(config.model.path), load_tokenizer(config.model), frozenset(), context=_context_of_model(config.model)
        )
        check_run_problems(config, reader)


def _context_of_model(node: Any) -> int | None:
    """The tokens that a model takes, as its config says; None where it does not."""
    if str(node.path) == FRESH:
        from tvo_cli.model.loading.parameter_count import network_without_weights

        found = network_without_weights(node).config
    else:
        try:
            found = load_config(node)
        except UserError:  # an adapter's folder has no config of a network
            return None
    return getattr(found.get_text_config(), "max_position_embeddings", None)
