"""Two ranks against one process: the same bits where sums have two addends, the same decisions everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.parallel.conftest import EXACT, Pair, assert_bit_equal, far_metrics, rows_of, tensors_of
from tests.training.conftest import composed
from tvo_cli.checkpoint import checkpoint_folders
from tvo_cli.errors import UserError
from tvo_cli.experiment import train
from tvo_cli.experiment.connect_ranks import ranks_of_single_process

REPLICATE, SHARD = "parallel=replicate", "parallel=shard"


@pytest.mark.slow
def test_copies_give_the_bits_of_one_process(pair: Pair) -> None:
    alone, both = pair.alone(*EXACT), pair.finished("replicate", *EXACT, REPLICATE)
    assert_bit_equal(tensors_of(alone), tensors_of(both))
    assert rows_of(alone) == rows_of(both)


@pytest.mark.slow
def test_shards_give_the_bits_of_one_process_while_gradients_are_clipped(pair: Pair) -> None:
    words = (*EXACT, "optimizer.clip_norm=0.05")
    alone, both = pair.alone(*words), pair.finished("shard", *words, SHARD)
    assert_bit_equal(tensors_of(alone), tensors_of(both))
    names = [path.name for path in (both / "checkpoints" / "step-000002").glob("optimizer-*")]
    assert sorted(names) == [f"optimizer-0000{n}-of-00002.safetensors" for n in (1, 2)]
    assert far_metrics(rows_of(alone), rows_of(both)) == set()


@pytest.mark.slow
def test_one_process_that_shards_gives_the_bits_of_one_that_does_not(pair: Pair) -> None:
    chosen = composed((*EXACT, SHARD))
    chosen.output_dir = str(pair.root / "group-of-one")
    with ranks_of_single_process(chosen) as ranks:
        train(chosen, ranks)
    assert_bit_equal(tensors_of(pair.alone(*EXACT)), tensors_of(pair.root / "group-of-one"))


READINGS = {f"gradient/{name}" for name in ("variance", "signal", "noise_scale", "normalised_variance")}


@pytest.mark.slow
def test_copies_read_the_variance_of_parted_prompts_as_one_process(pair: Pair) -> None:
    """Here a sum has more than two addends: the same within rounding."""
    words = (*EXACT, "trainer.microbatch_rows=2")
    alone, copies = (rows_of(folder) for folder in (pair.alone(*words), pair.finished("parted", *words, REPLICATE)))
    assert all(row["gradient/variance"] > 0.0 for row in copies)
    assert not READINGS & far_metrics(alone, copies)


@pytest.mark.slow
def test_sharded_weights_leave_the_variance_of_parted_prompts_out_and_learn_the_same(pair: Pair) -> None:
    words = (*EXACT, "trainer.microbatch_rows=2", "optimizer.clip_norm=0.05")
    chosen = composed((*words, SHARD))
    chosen.output_dir = str(pair.root / "parted-group-of-one")
    with ranks_of_single_process(chosen) as ranks:
        train(chosen, ranks)
    alone, shard = (rows_of(folder) for folder in (pair.alone(*words), pair.root / "parted-group-of-one"))
    assert not any(READINGS & row.keys() for row in shard) and all(row.keys() >= READINGS for row in alone)
    for one, other in zip(alone, shard, strict=True):
        assert other["gradient/norm"] == pytest.approx(one["gradient/norm"], rel=1e-4)
    said = (pair.root / "parted-group-of-one" / "run.log").read_text()
    assert "gradient/variance is not read of parted prompts: with parallel=shard no rank holds the whole" in said


def test_weights_in_host_memory_already_are_not_offloaded() -> None:
    chosen = composed((*EXACT, SHARD, "parallel.offload=true"))
    with (
        ranks_of_single_process(chosen) as ranks,
        pytest.raises(UserError, match=r"^parallel\.offload=True: the weights are"),
    ):
        train(chosen, ranks)


def test_one_process_is_no_two_shards() -> None:
    chosen = composed((*EXACT, SHARD, "parallel.shard_over=2"))
    refused = pytest.raises(UserError, match=r"^parallel\.shard_over=2: does not divide the 1 ranks\.")
    with refused, ranks_of_single_process(chosen):
        pass


@pytest.mark.slow
def test_two_ranks_stop_before_the_same_update_when_one_is_asked_to(pair: Pair) -> None:
    fault = {"rank": 1, "kind": "signal", "at": 2}
    folder, outcomes = pair.train("signal", *EXACT, REPLICATE, fault=fault)
    assert [one["outcome"] for one in outcomes] == ["Interrupted"] * 2
    assert [one.name for one in (folder / "checkpoints").glob("step-*")] == ["step-000000-update-002"]
    assert_bit_equal(tensors_of(pair.alone(*EXACT)), tensors_of(pair.finished("signal", *EXACT, REPLICATE)))
    assert rows_of(pair.alone(*EXACT)) == rows_of(folder)


@pytest.mark.slow
def test_what_is_not_finite_on_one_rank_is_left_out_on_both(pair: Pair) -> None:
    fault = {"rank": 1, "kind": "not a number", "at": 1}
    folder, outcomes = pair.train("nan", *EXACT, REPLICATE, fault=fault)
    assert [one["outcome"] for one in outcomes] == ["finished"] * 2
    assert [row["optimizer/skipped"] for row in rows_of(folder)] == [1.0, 0.0]


@pytest.mark.slow
def test_uneven_shares_end_within_rounding(pair: Pair) -> None:
    uneven = ("rollout.prompts=3", "rollout.samples=2", "rollout.minibatches=1", "rollout.epochs=2", "trainer.steps=1")
    one, other = tensors_of(pair.alone(*uneven)), tensors_of(pair.finished("uneven", *uneven, REPLICATE))
    assert max(float((one[name].double() - other[name].double()).abs().max()) for name in one) < 1e-6


@pytest.mark.slow
def test_a_rank_that_has_drifted_is_named(pair: Pair) -> None:
    fault = {"rank": 1, "kind": "drift", "at": 1}
    _, outcomes = pair.train("drift", *EXACT, REPLICATE, fault=fault)
    for one in outcomes:
        assert one["text"].startswith("rank=1: has another smoother than rank 0 at step 1: ")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "algorithm"),
    [
        ("out of memory", "tvo"),
        ("out of memory before", "kl_cov"),
        ("out of memory of the critic", "ppo"),
    ],
)
def test_memory_that_ends_on_one_rank_halves_micro_batches_on_both(pair: Pair, kind: str, algorithm: str) -> None:
    words = (*EXACT, REPLICATE, f"algorithm={algorithm}", "trainer.steps=1")
    folder, outcomes = pair.train(f"memory-{algorithm}", *words, fault={"rank": 1, "kind": kind, "at": 1})
    assert outcomes == [{"outcome": "finished", "text": ""}] * 2
    assert "micro-batches of 4 responses are halved" in (folder / "run.log").read_text()


@pytest.mark.slow
def test_a_rule_that_watches_what_each_rank_has_for_itself_decides_the_same(pair: Pair) -> None:
    watched = "severity: collapse, metric: memory/peak, limit: 1e5, patience: 1"
    rule = f"{{_target_: tvo_cli.stability.collapse_rules.Ceiling, {watched}}}"
    words = (*EXACT, REPLICATE, f"+stability.rules.memory={rule}", "stability.on_collapse=stop")
    folder, outcomes = pair.train("rule", *words, fault={"rank": 1, "kind": "other memory", "at": 1})
    assert outcomes == [{"outcome": "finished", "text": ""}] * 2
    assert len(rows_of(folder)) == 2


@pytest.mark.slow
def test_fewer_problems_to_evaluate_than_ranks(pair: Pair) -> None:
    words = (
        "evaluation=default",
        "evaluation.problems=1",
        "evaluation.samples=2",
        "evaluation.every=1",
        "trainer.steps=1",
    )
    alone, both = pair.alone(*EXACT, *words), pair.finished("evaluated", *EXACT, *words, REPLICATE)
    assert rows_of(alone) == rows_of(both)


@pytest.mark.slow
def test_the_policy_alone_is_kept_and_evaluated_again(pair: Pair) -> None:
    words = (*EXACT, SHARD, "trainer.steps=1", "trainer.save_policy_only=true")
    folder = pair.finished("policy-only", *words)
    assert not list(folder.glob("checkpoints/*/optimizer*"))
    pair.finished("policy-only", *words)


@pytest.mark.slow
@pytest.mark.parametrize("curriculum", ["none", "pass_rate"])
def test_two_ranks_draw_from_a_mixture_what_one_does(pair: Pair, curriculum: str) -> None:
    mixture = (
        *("dataset=mixture", "+dataset@dataset.sources.short=arithmetic", "+dataset@dataset.sources.long=arithmetic"),
        *("dataset.sources.short.seed=7", "dataset.sources.short.limit=20", "dataset.sources.long.limit=20"),
        *("dataset.weights={short: 3}", f"curriculum={curriculum}"),
    )
    alone, both = pair.alone(*EXACT, *mixture), pair.finished(f"mixture-{curriculum}", *EXACT, *mixture, REPLICATE)
    assert_bit_equal(tensors_of(alone), tensors_of(both))
    assert rows_of(alone) == rows_of(both) and all("data/share/short" in row for row in rows_of(both))
    assert cursor_of(alone) == cursor_of(both)


def cursor_of(folder: Path) -> Any:
    """Where the newest checkpoint is in its problems."""
    return checkpoint_folders.read_stored_state(checkpoint_folders.list_checkpoints(folder / "checkpoints")[-1])[
        "cursor"
    ]


@pytest.mark.slow
@pytest.mark.parametrize("strategy", [REPLICATE, SHARD])
def test_two_ranks_refuse_the_same_update_and_resume_what_they_held(pair: Pair, strategy: str) -> None:
    """A rate that ruins the policy at once: both return to the state before, each to its own rows of it."""
    words = (
        *(*EXACT, "rollout.prompts=8", "rollout.samples=2", "trainer.steps=4"),
        *("algorithm=ppo", "optimizer.lr=0.03", "stability.refuse=1.5"),
    )
    name = f"refused-{strategy.partition('=')[2]}"
    alone = pair.alone(*words)
    both = pair.finished(name, *words, strategy)
    assert [row["stability/refused"] for row in rows_of(both)] == [row["stability/refused"] for row in rows_of(alone)]
    assert rows_of(both)[-1]["stability/refused"] >= 1.0
    assert far_metrics(rows_of(alone), rows_of(both)) == set()
    stopped, outcomes = pair.train(f"{name}-cut", *words, strategy, fault={"rank": 1, "kind": "signal", "at": 6})
    assert [one["outcome"] for one in outcomes] == ["Interrupted"] * 2
    pair.finished(stopped.name, *words, strategy)
    assert_bit_equal(tensors_of(both), tensors_of(stopped))
