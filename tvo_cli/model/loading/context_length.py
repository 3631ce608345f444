"""The context length of a model, from its config: no weights are read."""

from __future__ import annotations

from typing import Any

from tvo_cli.errors import UserError
from tvo_cli.model.loading.policy_loading import load_config
from tvo_cli.model.model_files.model_location import FRESH


def context_length(node: Any) -> int | None:
    """The tokens of prompt and response that a model takes together, as its config says; None where it does not."""
    if str(node.path) == FRESH:
        from tvo_cli.model.loading.parameter_count import network_without_weights

        found = network_without_weights(node).config
    else:
        try:
            found = load_config(node)
        except UserError:  # an adapter's folder has no config of a network
            return None
    return getattr(found.get_text_config(), "max_position_embeddings", None)
