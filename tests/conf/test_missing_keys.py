"""A key that is needed and taken away, or that holds nothing to take away, is named itself."""

from __future__ import annotations

import pytest

from tvo_cli import config
from tvo_cli.errors import UserError

NEEDED = {  # command → what it starts from, and keys without which it cannot be
    "train": (
        [],
        [
            *("seed", "run_name", "output_dir", "trainer", "dataset", "dataset.max_tokens", "algorithm.name"),
            *("rollout.prompts", "stability.rules.tv_ceiling.limit", "optimizer.make._partial_"),
            *("optimizer.schedule._target_", "algorithm.objective.surrogate._partial_", "algorithm.estimator.within"),
        ],
    ),
    "eval": (["path=x"], ["path", "model.path", "model.name", "protocol", "decoding", "evaluation.seed", "run_name"]),
    "sft": ([], ["steps", "seed", "dataset.suffix"]),
    "variance": ([], ["model.path", "batches", "seed"]),
}


@pytest.mark.parametrize(("root", "key"), [(root, key) for root, (_, keys) in NEEDED.items() for key in keys])
def test_a_needed_key_that_was_taken_away_is_named(root: str, key: str) -> None:
    with pytest.raises(UserError, match=r": is missing") as caught:
        config.compose([*NEEDED[root][0], f"~{key}"], root)
    assert caught.value.key == key
    assert f"~{key}" in str(caught.value) or f"+{key}=" in str(caught.value), "no way out"


@pytest.mark.parametrize(
    ("root", "key"),
    [
        *(("train", "model.revision"), ("train", "algorithm.critic"), ("eval", "decoding.top_p")),
        *(("eval", "dataset"), ("eval", "evaluation"), ("variance", "model.prompt.suffix")),
    ],
)
def test_a_key_without_a_value_is_not_told_as_a_fault_of_the_config(root: str, key: str) -> None:
    with pytest.raises(UserError, match=rf"Leave out ~{key}$") as caught:
        config.compose(["path=x"] * (root == "eval") + [f"~{key}"], root)
    assert caught.value.key == key


def test_an_unknown_key_is_not_taken_away_in_silence() -> None:
    with pytest.raises(UserError, match=r"^rollout\.promts=: there is no such key\. Nearest: rollout\.prompts"):
        config.compose(["~rollout.promts"])


def test_an_interpolation_of_ones_own_is_still_told_by_the_key_that_holds_it() -> None:
    with pytest.raises(UserError, match=r"^rollout\.prompts=\$\{nowhere\}: "):
        config.compose(["rollout.prompts=${nowhere}"])
