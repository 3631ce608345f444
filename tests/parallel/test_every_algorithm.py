"""Every algorithm on two ranks against one process, and stopped at every update: slow."""

from __future__ import annotations

import pytest
import torch

from tests.parallel.conftest import EXACT, Pair, assert_bit_equal, far_metrics, rows_of, tensors_of
from tvo_cli import config

SIXTEEN = (*EXACT, "trainer.steps=4")
UPDATES = 4 * 2 * 2  # batches × epochs × minibatches
# Where responses branch, a rank decodes other numbers of rows than one process: each row by itself is the same sum.
BRANCHING = dict.fromkeys(("cure", "ettrl", "aepo_branching"), ("rollout.batch_size=1",))
# Two sources of one make: of other lengths, a rank would pad otherwise than one process, and round otherwise.
MIXTURE = (
    *("dataset=mixture", "+dataset@dataset.sources.one=arithmetic", "+dataset@dataset.sources.other=arithmetic"),
    "dataset.sources.other.seed=5",
)
SHAPING, BRANCHES = "algorithm.advantage_shaping", "algorithm.branching"
WINDOW = f"{SHAPING}.recap.window=1"  # ten batches never fill in four
# Where a recipe as it stands changes no bit of so short a run: what makes it act, and what it is without.
ACTING = {
    "aepo_branching": ((f"{BRANCHES}.threshold=0", "rollout.samples=8"), (f"{BRANCHES}.initial=1",)),
    "clip_b": ((f"{SHAPING}.clip_b.width=0.5",), (f"{SHAPING}.clip_b.width=inf",)),
    "clip_v": ((f"{SHAPING}.clip_v.width=0.1",), (f"{SHAPING}.clip_v.width=inf",)),
    "recap": ((*MIXTURE, WINDOW), (f"{SHAPING}.recap.temperature=inf",)),
    "recap_next_token": ((*MIXTURE, WINDOW), (f"{SHAPING}.recap.temperature=inf",)),
}
pytestmark = pytest.mark.slow


def words_of(algorithm: str) -> tuple[str, ...]:
    acting, _ = ACTING.get(algorithm, ((), ()))
    return (*SIXTEEN, f"algorithm={algorithm}", *BRANCHING.get(algorithm, ()), *acting)


@pytest.mark.parametrize("algorithm", ACTING)
def test_what_is_held_to_two_ranks_acts_in_the_run(pair: Pair, algorithm: str) -> None:
    """Otherwise those runs would be its base's."""
    acting, idle = pair.alone(*words_of(algorithm)), pair.alone(*words_of(algorithm), *ACTING[algorithm][1])
    one, other = tensors_of(acting), tensors_of(idle)
    assert any(not torch.equal(one[name], other[name]) for name in one if name.startswith("policy."))


@pytest.mark.parametrize("algorithm", config.choices_of_group("algorithm"))
def test_copies_give_the_bits_of_one_process(pair: Pair, algorithm: str) -> None:
    asked = words_of(algorithm)
    alone, both = pair.alone(*asked), pair.finished(f"replicate-{algorithm}", *asked, "parallel=replicate")
    assert_bit_equal(tensors_of(alone), tensors_of(both))
    assert rows_of(alone) == rows_of(both)


@pytest.mark.parametrize("algorithm", config.choices_of_group("algorithm"))
def test_shards_give_the_bits_of_one_process(pair: Pair, algorithm: str) -> None:
    asked = words_of(algorithm)
    alone, both = pair.alone(*asked), pair.finished(f"shard-{algorithm}", *asked, "parallel=shard")
    assert_bit_equal(tensors_of(alone), tensors_of(both))
    assert far_metrics(rows_of(alone), rows_of(both)) == set()


def test_shards_that_decode_row_by_row_give_the_bits_of_one_process(pair: Pair) -> None:
    """A product of one row sums in the order that the place of the weights in memory allows."""
    asked = (*EXACT, "algorithm=grpo", "rollout.batch_size=1")
    alone, both = pair.alone(*asked), pair.finished("shard-row-by-row", *asked, "parallel=shard")
    assert_bit_equal(tensors_of(alone), tensors_of(both))


@pytest.mark.parametrize("strategy", ["replicate", "shard"])
@pytest.mark.parametrize("adapter", ["lora", "dora", "miss"])
@pytest.mark.parametrize("algorithm", ["tvo", "ppo"])
def test_adapters_give_the_bits_of_one_process(pair: Pair, algorithm: str, adapter: str, strategy: str) -> None:
    asked = (*EXACT, f"algorithm={algorithm}", f"adapter={adapter}")
    name = f"{strategy}-{adapter}-{algorithm}"
    alone, both = pair.alone(*asked), pair.finished(name, *asked, f"parallel={strategy}")
    assert_bit_equal(tensors_of(alone), tensors_of(both))
    assert rows_of(alone) == rows_of(both)


@pytest.mark.parametrize("strategy", ["replicate", "shard"])
@pytest.mark.parametrize("algorithm", ["tvo", "ppo", "kl_cov"])
def test_a_run_stopped_at_every_update_ends_in_the_same_bits(pair: Pair, algorithm: str, strategy: str) -> None:
    asked = (*EXACT, f"algorithm={algorithm}", f"parallel={strategy}")
    name, stops = f"stopped-{strategy}-{algorithm}", 0
    while True:
        folder, outcomes = pair.train(name, *asked, fault={"rank": stops % 2, "kind": "signal", "at": 1})
        if outcomes[0]["outcome"] == "finished":
            break
        assert [one["outcome"] for one in outcomes] == ["Interrupted"] * 2
        stops += 1
    assert stops >= 8 - 1  # updates of two batches; nothing stops a run after its last
    whole = pair.finished(f"whole-{strategy}-{algorithm}", *asked)
    assert_bit_equal(tensors_of(whole), tensors_of(folder))
    assert rows_of(whole) == rows_of(folder)


@pytest.mark.parametrize("strategy", ["replicate", "shard"])
@pytest.mark.parametrize(
    ("algorithm", "most"), [("tvo", 1e-5), ("ppo", 1e-5), ("steer", 1e-5), ("clip_cov", 1e-3), ("kl_cov", 1e-3)]
)
def test_default_cuts_end_within_rounding(pair: Pair, algorithm: str, most: float, strategy: str) -> None:
    """Methods that pick the largest tokens magnify it: which they are turns on the last bit."""
    sizes = ("rollout.prompts=8", "rollout.samples=8", "rollout.minibatches=4", "rollout.epochs=4", "trainer.steps=3")
    asked = (*sizes, f"algorithm={algorithm}")
    both = pair.finished(f"rounding-{algorithm}-{strategy}", *asked, f"parallel={strategy}")
    one, other = tensors_of(pair.alone(*asked)), tensors_of(both)
    weights = [name for name in one if name.startswith("policy.")]
    assert max(float((one[name] - other[name]).abs().max()) for name in weights) < most  # 48 updates


@pytest.mark.parametrize(
    "extra", ["parallel.free_layers=false", "parallel.shard_over=1", "model.gradient_checkpointing=true"]
)
def test_each_way_to_shard_gives_the_bits_of_one_process(pair: Pair, extra: str) -> None:
    asked = (*EXACT, *((extra,) if extra.startswith("model.") else ()))
    alone, both = pair.alone(*asked), pair.finished(f"way-{extra}", *EXACT, "parallel=shard", extra)
    assert_bit_equal(tensors_of(alone), tensors_of(both))
    assert far_metrics(rows_of(alone), rows_of(both)) == set()


def test_weights_that_travel_in_bfloat16_learn_in_float32(pair: Pair) -> None:
    words = ("parallel=shard", "parallel.gather=bfloat16")
    one, other = tensors_of(pair.alone(*EXACT)), tensors_of(pair.finished("bfloat16", *EXACT, *words))
    assert {value.dtype for name, value in other.items() if name.startswith("policy.")} == {torch.float32}
    gap = max(float((one[name] - other[name]).abs().max()) for name in one if name.startswith("policy."))
    assert 0.0 < gap < 5e-3  # eight steps of Adam at 1e-3 in directions that rounding has turned a little


@pytest.mark.parametrize("strategy", ["replicate", "shard"])
@pytest.mark.parametrize(
    "phase",
    [
        ("algorithm=bupo", "algorithm.internal_policy.steps=1"),
        (
            *(
                "algorithm=spear",
                "algorithm.self_imitation.size=4",
                "algorithm.self_imitation.rise=2",
                "trainer.steps=4",
            ),
            "trainer.microbatch_rows=2",  # of kept responses too: two micro-batches
        ),
    ],
    ids=["bupo", "spear"],
)
def test_phases_and_kept_responses_give_the_bits_of_one_process(
    pair: Pair, phase: tuple[str, ...], strategy: str
) -> None:
    asked = (*EXACT, *phase)
    alone, both = pair.alone(*asked), pair.finished(f"phase-{phase[0]}-{strategy}", *asked, f"parallel={strategy}")
    assert_bit_equal(tensors_of(alone), tensors_of(both))
    assert far_metrics(rows_of(alone), rows_of(both)) == set()
    if "spear" in phase[0]:
        assert any(row["replay/used"] > 0 for row in rows_of(both))
