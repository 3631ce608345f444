"""Branches, kept responses, readings of the valley, unpacked weights: sums by hand, and what a reading allocates."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import fields, replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from tests.memory import networks
from tests.memory.live_bytes import most_live_bytes
from tests.memory.test_memory_plan import request_of
from tvo_cli import config
from tvo_cli.memory.adapter_size import AdapterSize, unpacked_bytes
from tvo_cli.memory.branches_replay_readings import (
    KEPT_BATCHES,
    ExtraWork,
    branch_columns,
    kept_response_bytes,
    layer_reading_bytes,
    valley_reading_bytes,
)
from tvo_cli.memory.memory_plan import plan_memory
from tvo_cli.memory.memory_request import MemoryRequest
from tvo_cli.memory.network_shape import shape_of_network
from tvo_cli.memory.rank_memory import RankLayout, plan_rank_memory, request_of_rank
from tvo_cli.model import layer_readings, load_policy
from tvo_cli.rollout import SamplingParams, generate
from tvo_cli.rollout.decoding.decoding_state import DecodingState
from tvo_cli.rollout.response_prefixes import ResponsePrefixes
from tvo_cli.rollout.self_imitation import KeptResponses, SelfImitation
from tvo_cli.training.metrics.valley_readings import valley_readings
from tvo_cli.training.readings_state import FrozenRows, ReadingsSettings, ReadingsState

SMOLLM2 = networks.smollm2_shape()
EACH = 30 * 192 * 8  # bytes of SmolLM2's cache a token, in float32
PLAIN = request_of(SMOLLM2, "model.gradient_checkpointing=false")


def with_extra(*, branched: int = 0, kept: int = 0, replayed: int = 0, probed: int = 0) -> MemoryRequest:
    return replace(PLAIN, extra=ExtraWork(branched, kept, replayed, probed))


def test_a_row_behind_a_cut_may_stand_beside_one_from_its_prompt() -> None:
    """23 tokens of the prompt, 15 that one row took over, 16 that another samples anew: 54 columns, and 64 ahead."""
    phases = plan_memory(with_extra(branched=12)).phases
    assert phases["branches"] == 12 * ((23 + 15 + 16 + 64) * EACH + 12 * 49152)
    assert "branches" not in plan_memory(PLAIN).phases


@pytest.mark.slow
def test_the_cache_of_rows_behind_cuts_is_as_wide_as_that(monkeypatch: pytest.MonkeyPatch) -> None:
    """One goes on behind 7 tokens and one from the prompt, and neither ends: the last token of 8 is not fed."""
    policy = replace(load_policy(config.compose(["output_dir=x"]).model, device="cpu"), end_ids=frozenset())
    widths, step = list[int](), DecodingState.step
    monkeypatch.setattr(DecodingState, "step", lambda self, *rest: (step(self, *rest), widths.append(self.length))[0])
    prompts = ["7 + 3 =", "7 + 3 ="]
    mask = torch.arange(7).expand(2, 7) < torch.tensor([[7], [0]])
    prefixes = ResponsePrefixes(torch.ones_like(mask).long(), mask, torch.zeros(2, 7))
    generate(policy, prompts, ["a", "b"], SamplingParams(samples=1, max_tokens=8), seed=0, prefixes=prefixes)
    assert max(widths) == branch_columns(policy.encode(prompts)[0].shape[1], 8) - 1


@pytest.mark.slow
def test_as_many_rows_branch_as_the_rule_leaves_and_the_cache_holds() -> None:
    asked = ("algorithm=cure", "rollout.prompts=4", "rollout.samples=8", "rollout.batch_size=100")
    assert request_of(SMOLLM2, *asked).extra.branched == 4 * 6, "two of eight from the prompt, three behind each cut"
    assert request_of(SMOLLM2, *asked, "rollout.batch_size=9").extra.branched == 9
    row = (23 + 15 + 16 + 64) * EACH
    assert request_of(SMOLLM2, *asked, f"rollout.cache_gb={5.5 * row / 1e9}").extra.branched == 5


def test_kept_responses_are_counted_by_their_columns() -> None:
    """Ids of 8 bytes, masks of 1, log π of 4; reward 4 and step 8."""
    assert kept_response_bytes(3, 10, 20) == 3 * (10 * 9 + 20 * 13 + 12)
    plan = plan_memory(with_extra(kept=100))
    assert plan.standing["kept responses"] == 100 * (23 * 9 + 16 * 13 + 12)
    on_gpu = plan_memory(replace(with_extra(kept=100), gpu=True))
    assert on_gpu.host["kept responses"] == plan.standing["kept responses"] and "kept responses" not in on_gpu.standing


def test_self_imitation_holds_no_more_than_that() -> None:
    """Every response of every batch is good, and nothing is drawn: ten batches of two, five of them tolerated."""
    imitation = SelfImitation(
        size=99, tolerance=5, baselines=9, strength=1.0, rise=1.0, weight=lambda tokens: tokens.logp
    )
    held, rows, seen = list[int](), torch.ones(2, 3, dtype=torch.int64), torch.ones(2, 3, dtype=torch.bool)
    for step in range(10):
        batch = KeptResponses(rows, seen, rows, seen, torch.zeros(2, 3), torch.ones(2), torch.full((2,), step))
        imitation.end_batch(batch, torch.ones(2), torch.zeros(1), drawn=False)
        held.append(len(imitation.kept))
    assert max(held) == 2 * (5 + KEPT_BATCHES)
    kept = [getattr(imitation.kept, one.name) for one in fields(KeptResponses)]
    assert sum(column.nbytes for column in kept) == kept_response_bytes(max(held), 3, 3)


@pytest.mark.slow
def test_a_replay_is_cut_as_the_run_cuts_it() -> None:
    """16 responses a batch in 2 minibatches; 64 replayed are 8 of 8. Kept: five batches, the last and the newest."""
    asked = ("algorithm=spear", "rollout.minibatches=2")
    extra = request_of(SMOLLM2, *asked).extra
    assert (extra.kept, extra.replayed) == (16 * 7, 8)
    assert request_of(SMOLLM2, *asked, "trainer.microbatch_rows=3").extra.replayed == 3
    assert request_of(SMOLLM2, *asked, "trainer.microbatch_tokens=80").extra.replayed == 2, "39 positions a row"
    assert request_of(SMOLLM2, *asked, "algorithm.self_imitation.strength=0").extra == ExtraWork()


def test_responses_of_a_replay_share_no_prompt() -> None:
    phases = plan_memory(replace(with_extra(replayed=4), microbatch_rows=4)).phases
    position = 30 * 4 * (6 * 576 + 2 * 576 + 2 * 192 + 4 * 1536)
    assert phases["replay"] - phases["update"] == pytest.approx((4 * 39 - (23 + 4 * 16)) * position, rel=0.02)


def test_a_reading_of_the_valley_holds_four_vectors_beside_two_means() -> None:
    """One trained number: float32 gradient 4, weights 4, sum 4, part 4, and 100 of activations; then four of 4."""
    assert valley_reading_bytes(1, 4, 100.0) == 116.0
    assert valley_reading_bytes(1000, 2, 100.0) == 16_000.0, "both gradients, the river, its unit vector"
    plan, n = plan_memory(with_extra(probed=4)), 134_515_008
    assert plan.standing["running means"] == 8 * n and plan.phases["valley"] > 16 * n
    assert plan.phase == "valley"


def test_a_reading_of_the_layers_keeps_the_states_of_all() -> None:
    """Thirty layers and the embeddings of SmolLM2, 576 numbers a position; logits in three chunks of 64 MB."""
    found = layer_reading_bytes(SMOLLM2, ExtraWork(layered=624), 4, autocast=False)
    assert found == 624 * 31 * 576 * 4 == layer_reading_bytes(SMOLLM2, ExtraWork(layered=624), 2, autocast=True)
    entropy = layer_reading_bytes(SMOLLM2, ExtraWork(layered=624, layer_entropy=True), 4, autocast=False)
    assert entropy - found == 3 * 64 * 2**20 < 3 * 624 * 49152 * 4
    more = replace(PLAIN, extra=ExtraWork(layered=624, layer_entropy=True))
    assert plan_memory(more).phases["layers"] > entropy and "layers" not in plan_memory(PLAIN).phases


@pytest.mark.slow
def test_layers_are_read_by_micro_batches_and_spectra_of_prompts_alone() -> None:
    entropy, spectral = (f"stability.readings.{name}_entropy=true" for name in ("layer", "spectral"))
    assert request_of(SMOLLM2, entropy).extra.layered == 16 * (23 + 16)
    assert request_of(SMOLLM2, spectral, "trainer.microbatch_rows=5").extra.layered == 5 * 23
    assert request_of(SMOLLM2, spectral).extra.layer_entropy is False is request_of(SMOLLM2).extra.layer_entropy


@pytest.mark.slow
@torch.no_grad()
def test_states_of_the_layers_and_copies_of_logits_are_as_many_as_the_plan_says() -> None:
    policy = load_policy(config.compose(["output_dir=x"]).model, device="cpu")
    shape = shape_of_network(policy.network)
    ids, seen = torch.ones(8, 64, dtype=torch.int64), torch.ones(8, 64, dtype=torch.bool)
    states = layer_readings._states_of_layers(policy, ids, seen)
    whole, alone = (ExtraWork(layered=8 * 64, layer_entropy=entropy) for entropy in (True, False))
    planned, of_states = (layer_reading_bytes(shape, extra, 4, autocast=False) for extra in (whole, alone))
    assert sum(state.nbytes for state in states) == of_states
    rows = states[-1].flatten(0, 1).clone()
    known = [*policy.parameters(), rows]
    assert most_live_bytes(lambda: layer_readings._mean_entropy(policy, rows, 1.0), known) == planned - of_states


@pytest.mark.slow
def test_the_probe_is_read_by_micro_batches() -> None:
    asked = ("stability.readings.valley=true",)
    assert request_of(SMOLLM2, *asked).extra.probed == 16
    assert request_of(SMOLLM2, *asked, "trainer.microbatch_rows=5").extra.probed == 5
    assert request_of(SMOLLM2, *asked, "stability.readings.rows=7").extra.probed == 7
    assert request_of(SMOLLM2).extra.probed == 0


def test_the_largest_matrix_of_four_bits_is_unpacked() -> None:
    """576 × 1536 numbers in the precision they were loaded in, and a scale of 4 bytes for each 64 of them."""
    assert unpacked_bytes(SMOLLM2, 2) == 576 * 1536 * 2 + 576 * 24 * 4
    bits, whole = (plan_memory(replace(PLAIN, quantised=quantised)).phases for quantised in (True, False))
    unpacked = 576 * 1536 * 4 + 576 * 24 * 4
    assert {name: bits[name] - size for name, size in whole.items()} == dict.fromkeys(whole, unpacked)


def test_a_rank_has_its_share_of_branches_and_the_whole_buffer() -> None:
    alone = replace(with_extra(branched=12, kept=10, replayed=8), gpu=True, copies=1)
    rank = request_of_rank(alone, 2, minibatch=8, batch=16, evaluated=0)
    assert (rank.extra.branched, rank.extra.replayed, rank.extra.kept) == (8, 4, 10)
    layout = RankLayout(2, shards=2, sharded=True)
    shared, whole = plan_rank_memory(rank, layout), plan_memory(rank)
    assert shared.host["kept responses"] == whole.host["kept responses"]
    assert shared.host["recorder"] == whole.host["recorder"] / 2
    assert shared.phases["branches"] - whole.phases["branches"] == 4 * SMOLLM2.parameters


def test_each_shard_copies_the_whole_adapter_to_the_host() -> None:
    adapted = replace(PLAIN, gpu=True, copies=1, adapter=AdapterSize(1000, 0, 0, False), trained=1000)
    assert plan_rank_memory(adapted, RankLayout(2, shards=2, sharded=True)).host["recorder"] == 1000 * (4 + 8)


@pytest.mark.slow
def test_a_reading_allocates_what_the_plan_says() -> None:
    """Of the embedded model, whose activations of two short rows are next to nothing beside its weights."""
    policy = load_policy(config.compose(["output_dir=x"]).model, device="cpu")
    parameters = policy.differentiated_parameters()
    trained = sum(parameter.numel() for parameter in parameters)
    means = [[parameter.detach() * factor for parameter in parameters] for factor in (0.9, 0.8)]
    ids, seen = torch.ones(2, 3, dtype=torch.int64), torch.ones(2, 3, dtype=torch.bool)
    state = ReadingsState(probe=FrozenRows(ids, seen, ids, seen), fast=means[0], slow=means[1])
    learner = SimpleNamespace(policy=policy, autocast=nullcontext)
    limits = SimpleNamespace(readings=ReadingsSettings(valley=True))
    passes = SimpleNamespace(microbatch_rows=0, temperature=1.0)
    session: Any = SimpleNamespace(learner=learner, limits=limits, passes=passes)
    work: Any = SimpleNamespace(report=SimpleNamespace(rates=[1.0]))

    def read() -> None:
        assert valley_readings(session, state, work, due=True)["valley/force"]

    read()  # what is probed once
    found = most_live_bytes(read, [*parameters, *means[0], *means[1], ids, seen])
    assert found == pytest.approx(valley_reading_bytes(trained, 4, 0.0), rel=0.1)
