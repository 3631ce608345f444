"""What a config and the number of ranks must agree on."""

from __future__ import annotations

import pytest

from tvo_cli.config import compose
from tvo_cli.config.cross_key_checks import check_across_keys
from tvo_cli.config.rank_checks import check_ranks
from tvo_cli.errors import UserError

SHARD = ("parallel=shard", "rollout.prompts=64")
REFUSED = [
    ((), 8, r"parallel=single: 8 processes were started\. Take parallel=replicate or parallel=shard\."),
    (
        ("parallel=replicate", "rollout.prompts=64", "rollout.minibatches=4"),
        64,
        r"rollout\.minibatches=4: a minibatch has 16 prompts for 64 ranks\. Take rollout\.prompts=256, or "
        r"rollout\.minibatches=1\.",
    ),
    (
        ("parallel=replicate", "rollout.prompts=4", "rollout.minibatches=2"),
        8,
        r"rollout\.minibatches=2: a minibatch has 2 prompts for 8 ranks\. Take rollout\.prompts=16\.",
    ),
    (
        (*SHARD, "parallel.shard_over=3"),
        8,
        r"parallel\.shard_over=3: does not divide the 8 ranks\. Take 2, or 0 for all\.",
    ),
    ((*SHARD, "parallel.shard_over=16"), 8, r"parallel\.shard_over=16: does not divide the 8 ranks\. Take 8, or 0"),
]


@pytest.mark.parametrize(("overrides", "count", "said"), REFUSED, ids=range(len(REFUSED)))
def test_what_so_many_ranks_cannot_share_out_is_refused(overrides: tuple[str, ...], count: int, said: str) -> None:
    with pytest.raises(UserError, match=f"^{said}"):
        check_ranks(compose(list(overrides)), count)


@pytest.mark.parametrize("overrides", [("parallel=replicate",), SHARD, (*SHARD, "parallel.shard_over=2"), ()])
def test_what_they_can_share_out_is_not(overrides: tuple[str, ...]) -> None:
    check_ranks(compose([*overrides, "rollout.minibatches=2"]), 4 if overrides else 1)


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (("parallel=replicate", "parallel.offload=true"), r"parallel\.offload=True: is not read under .*replicate\."),
        (("parallel=replicate", "parallel.gather=bfloat16"), r"parallel\.gather=bfloat16: is not read under"),
        (
            ("parallel.shard_over=2",),
            r"parallel\.shard_over=2: is not read under parallel=single\. Take parallel=shard",
        ),
        (
            ("parallel.timeout=60",),
            r"parallel\.timeout=60.*: .* Take parallel=replicate or parallel=shard, or leave it",
        ),
    ],
)
def test_a_key_that_the_strategy_does_not_read_is_refused(overrides: tuple[str, ...], said: str) -> None:
    with pytest.raises(UserError, match=f"^{said}"):
        check_across_keys(compose([*overrides, "output_dir=x"]))


@pytest.mark.parametrize(
    "overrides", [("parallel=shard", "parallel.free_layers=false"), ("parallel=replicate", "parallel.check_every=4")]
)
def test_one_that_it_reads_is_not(overrides: tuple[str, ...]) -> None:
    check_across_keys(compose([*overrides, "output_dir=x"]))
