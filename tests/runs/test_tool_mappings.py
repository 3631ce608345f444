"""Which trainer wrote a log, by its columns."""

from __future__ import annotations

import pytest

from tvo_cli.runs.tool_mappings import ANYBODYS, PLAIN, PRIME, TRL, VERL, ToolMapping, find_mapping


@pytest.mark.parametrize(
    ("columns", "mapping"),
    [
        ({"step", "reward", "kl", "grad_norm"}, ANYBODYS),  # words that everybody uses tell no trainer
        ({"Step", "Reward", "KL"}, ANYBODYS),
        ({"step", "reward", "kl", "completions/mean_length"}, TRL),
        ({"_step", "train/reward", "train/kl", "train/completions/mean_length"}, TRL),  # as W&B has it
        ({"step", "critic/rewards/mean", "actor/entropy", "actor/grad_norm"}, VERL),
        ({"step", "reward/mean", "entropy/mean", "mismatch_kl/mean", "optim/grad_norm"}, PRIME),
        ({"step", "reward/mean", "policy/entropy", "gradient/norm"}, PLAIN),  # our own names
        ({"step", "reward", "my_loss"}, ANYBODYS),
        ({"step", "my_loss"}, PLAIN),
    ],
)
def test_the_mapping_is_that_of_the_trainer_whose_columns_they_are(columns: set[str], mapping: ToolMapping) -> None:
    assert find_mapping(columns) is mapping
