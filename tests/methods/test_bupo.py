"""BuPO: its loss on F0 is GRPO's with a dual clip and a token mean; whose log π it reads is not the objective's."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.methods.conftest import Result, composed
from tvo_cli import config
from tvo_cli.config.cross_key_checks import check_across_keys
from tvo_cli.errors import UserError
from tvo_cli.objective import InternalPolicy

OBJECTIVE = "algorithm.objective"
NEUTRAL = {
    "bupo": (
        "grpo",
        [
            f"{OBJECTIVE}.surrogate.dual=inf",
            f"{OBJECTIVE}.reduce._target_=tvo_cli.objective.reduction.sequence_mean",
        ],
    )
}


@pytest.mark.parametrize(("batches", "steps"), [(300, 30), (30, 3), (2, 1)])
def test_the_recipe_reads_the_released_block_for_a_tenth_of_the_run(batches: int, steps: int) -> None:
    """30 of 300 in the script; of Qwen3-4B layer 5, counted from 0."""
    chosen: InternalPolicy = config.build(composed("bupo", f"trainer.steps={batches}").algorithm.internal_policy)
    assert (chosen.block_of(36), chosen.steps) == (6, steps)


def test_the_dual_clip_bounds_what_a_bad_response_loses(on_f0: Callable[..., Result]) -> None:
    """F0's ratios are below 10, so that the released clip of 10 leaves GRPO's token mean; one of 1.2 does not."""
    grpo = on_f0("grpo", f"{OBJECTIVE}.reduce._target_=tvo_cli.objective.reduction.token_mean")
    assert on_f0("bupo").loss == pytest.approx(grpo.loss)
    assert on_f0("bupo", f"{OBJECTIVE}.surrogate.dual=1.0").loss < grpo.loss


def test_log_probabilities_of_the_sampler_are_refused_as_those_of_an_inner_block() -> None:
    words = ["algorithm=bupo", "output_dir=x", "logger=none", "trainer.old_logp=sampler"]
    with pytest.raises(UserError, match=r"trainer.old_logp.*whole network's"):
        check_across_keys(config.compose(words))
    check_across_keys(config.compose([*words, "algorithm.internal_policy.steps=0"]))
