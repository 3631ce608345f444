"""Prompts whose responses do not fit into one micro-batch: what the bound holds, what is summed, what is left out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.memory import networks
from tests.memory.test_memory_plan import request_of
from tvo_cli import config
from tvo_cli.memory import planned_run as planning
from tvo_cli.memory.bounds import USED
from tvo_cli.memory.memory_plan import plan_memory
from tvo_cli.memory.parted_prompts import choose_parted_variance

GROUPS = (
    *("model=custom", "model.path=x", "output_dir=x", "trainer.device=cuda", "trainer.precision=bfloat16"),
    *("rollout.prompts=8", "rollout.samples=16", "rollout.max_tokens=1024", "rollout.minibatches=1", "evaluation=off"),
    *("rollout.cache_gb=1", "rollout.batch_size=1"),
)


@pytest.fixture
def planned_for(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The plan of the 1.5B for prompts of 1,024 tokens on a GPU of so many GB."""

    def on(gigabytes: int, *words: str) -> planning.PlannedRun:
        monkeypatch.setattr(planning, "_gpu_bytes", lambda device: gigabytes * 1e9)
        chosen = config.compose([*GROUPS, *words])
        return planning.planned_run(chosen, networks.qwen2_shape("1.5b"), 1024)

    return on


@pytest.mark.parametrize("gigabytes", [40, 48, 64])
def test_auto_bounds_micro_batches_below_a_prompts_responses_and_fits(planned_for: Any, gigabytes: int) -> None:
    """16 rows of 2,048 positions took 41.0 GB of a card of 40."""
    plan = planned_for(gigabytes)
    rows = plan.request.microbatch_rows
    assert rows >= 1 and rows * 2048 <= plan.bounds.microbatch_tokens
    assert plan_memory(plan.request).peak <= USED * gigabytes * 1e9


def test_a_card_with_room_reads_the_variance_and_one_without_leaves_it_out(planned_for: Any) -> None:
    """The summed gradient has 1.54e9 × 4 bytes."""
    short, roomy, large = (planned_for(40), planned_for(48, "rollout.samples=32"), planned_for(80))
    assert short.variance.parted and not short.variance.read and not short.request.summed_gradient
    assert short.variance.reason.endswith("takes 6.2 GB, for which micro-batches hold 0 responses, not 8")
    stated = planned_for(44), planned_for(44, "trainer.microbatch_tokens=8192")
    assert "; trainer.microbatch_tokens=" in stated[0].variance.reason and stated[1].variance.summed
    assert short.variance.lines_of_run() == (
        f"gradient/variance is not read of parted prompts: {short.variance.reason}",
    )
    assert roomy.variance.summed and roomy.request.summed_gradient and not roomy.variance.lines_of_run()
    assert not large.variance.parted and large.variance.read and large.request.microbatch_rows >= 16
    assert roomy.request.microbatch_rows == 8, "four of at most 9; 19 without the sum"
    more = (
        plan_memory(roomy.request).phases["update"]
        - plan_memory(replace(roomy.request, summed_gradient=False)).phases["update"]
    )
    assert more == pytest.approx(4 * 1_543_714_304)


def test_shares_of_the_weights_are_not_summed() -> None:
    words = ("rollout.samples=16", "trainer.microbatch_rows=4")
    request = request_of(networks.smollm2_shape(), *words)
    chosen = config.compose(["output_dir=x", *words, "rollout.prompts=4", "rollout.minibatches=1", "parallel=shard"])
    found = choose_parted_variance(chosen, request, None)
    assert found.parted and not found.read and "parallel=shard" in found.reason
    chosen.trainer.variance_parts = 1
    assert not choose_parted_variance(chosen, request, None).lines_of_run()
