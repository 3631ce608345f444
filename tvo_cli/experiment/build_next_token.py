"""The demonstrations of a run's next-token loss, read and encoded."""

from __future__ import annotations

from typing import Any

from omegaconf import DictConfig

from tvo_cli import config as configuration
from tvo_cli.data.demonstration_sources import load_demonstrations
from tvo_cli.experiment.keys_of_data import keys_of_demonstrations
from tvo_cli.model import Policy
from tvo_cli.training.run_data.demonstration_encoding import DemonstrationEncoder
from tvo_cli.training.run_data.demonstration_rows import DemonstrationLengthLimit, rows_of
from tvo_cli.training.update.next_token_loss import NextTokenLoss


def build_next_token_loss(config: DictConfig, policy: Policy) -> NextTokenLoss | None:
    """Demonstrations of the training split, asked as their own data set asks; None where none are learnt.

    Raises:
        UserError: there are no worked solutions, or a row cannot be read.
    """
    chosen = config.algorithm.get("next_token")
    if not chosen or not chosen.coefficient:
        return None
    own = chosen.data is None
    node = configuration.resolved_tree(config.dataset if own else chosen.data)
    prompt: dict[str, Any] = dict(configuration.resolved_tree(config.model.prompt))
    prompt |= {} if own else {"suffix": node.get("suffix")}
    context = getattr(policy.network.config.get_text_config(), "max_position_embeddings", None)
    limit = DemonstrationLengthLimit(context, "the model's context", skip=True)
    encoder = DemonstrationEncoder.of(policy, prompt, str(config.model.path))
    with keys_of_demonstrations(str(node["name"])):
        found = load_demonstrations(node, split="train", seed=int(config.seed))
        rows = rows_of(found, encoder, int(config.seed), limit, graded=own)
    return NextTokenLoss(float(chosen.coefficient), int(chosen.rows), rows)
