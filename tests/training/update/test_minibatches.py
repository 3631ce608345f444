"""Minibatches: whole prompts in each, every row once an epoch, a function of (seed, step, epoch) alone."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from tvo_cli.training.rng import rng_from_names
from tvo_cli.training.run_settings import InnerLoopSettings
from tvo_cli.training.update.minibatches import Minibatch, cut_into_minibatches

GROUP = torch.arange(8).repeat_interleave(4)


def cut(**changes: Any) -> list[Minibatch]:
    settings = {"epochs": 2, "count": 2, "microbatch_rows": 0, "variance_parts": 8, "seed": 0, "step": 3}
    return list(cut_into_minibatches(GROUP, **{**settings, **changes}))


def test_every_epoch_uses_every_row_once_and_keeps_prompts_whole() -> None:
    found = cut()
    for epoch in (0, 1):
        rows = torch.cat([one.rows for one in found if one.epoch == epoch])
        assert sorted(rows.tolist()) == list(range(32))
    for one in found:
        assert torch.equal(torch.cat(one.parts), one.rows)
        for part in one.parts:
            counts = torch.bincount(GROUP[part])
            assert set(counts[counts > 0].tolist()) == {4}


def test_the_first_minibatch_is_cut_into_equal_parts_for_the_variance() -> None:
    found = cut()
    assert [len(part) for part in found[0].parts] == [4, 4, 4, 4]
    assert [len(one.parts) for one in found[1:]] == [1, 1, 1]
    assert len(cut(variance_parts=3)[0].parts) == 2


@pytest.mark.parametrize(("rows", "parts"), [(4, 4), (8, 2), (9, 2), (16, 1)])
def test_micro_batches_hold_whole_prompts_up_to_the_limit(rows: int, parts: int) -> None:
    assert len(cut(microbatch_rows=rows)[1].parts) == parts


@pytest.mark.parametrize(("rows", "size", "passes"), [(1, 1, 4), (2, 2, 2), (3, 2, 2)])
def test_no_micro_batch_is_larger_than_the_limit_also_below_a_prompts_responses(
    rows: int, size: int, passes: int
) -> None:
    """Four prompts of four responses a minibatch; of the measured one the parts stay whole prompts."""
    first, *others = cut(microbatch_rows=rows)
    assert [len(part) for part in first.parts] == [4] * 4 and first.measured and first.passes == passes
    for one in (first, *others):
        assert [len(part) for part in one.microbatches] == [size] * (16 // size)
        assert torch.equal(torch.cat(one.microbatches), one.rows)
        assert all(len(GROUP[part].unique()) == 1 for part in one.microbatches)
    assert [(one.passes, one.measured) for one in others] == [(1, False)] * 3


@pytest.mark.parametrize("changes", [{"parted_variance": False}, {"variance_parts": 1}])
def test_parted_prompts_are_not_measured_where_the_variance_is_not_wanted_of_them(changes: dict[str, Any]) -> None:
    first = cut(microbatch_rows=2, **changes)[0]
    assert [len(part) for part in first.parts] == [2] * 8 and not first.measured and first.passes == 1
    assert cut(microbatch_rows=4, parted_variance=False)[0].measured, "no prompt is parted"


def test_ranks_share_out_whole_prompts_where_memory_does_not_part_them() -> None:
    """Of 16 rows a minibatch each of eight ranks has two; a prompt of four stays whole."""
    assert [[len(part) for part in one.parts] for one in cut(ranks=8)] == [[4] * 4] * 4
    assert [len(part) for part in cut(ranks=8, microbatch_rows=3)[1].parts] == [2] * 8


def test_the_order_depends_on_seed_step_and_epoch_only() -> None:
    first, again = cut(), cut()
    assert all(torch.equal(a.rows, b.rows) for a, b in zip(first, again))
    assert not torch.equal(first[0].rows, first[2].rows)
    assert not torch.equal(first[0].rows, cut(step=4)[0].rows)
    assert not torch.equal(first[0].rows, cut(seed=1)[0].rows)
    assert rng_from_names(0, "a", 1).initial_seed() != rng_from_names(0, "a", 2).initial_seed()


def test_every_minibatch_draws_its_own_lots_again_and_again_the_same() -> None:
    seeds = [one.seed for one in cut()]
    assert len(set(seeds)) == 4
    assert seeds == [one.seed for one in cut(microbatch_rows=4, variance_parts=1)]
    assert not set(seeds) & {one.seed for step in (2, 4) for one in cut(step=step)}
    assert not set(seeds) & {one.seed for one in cut(seed=1)}


@pytest.mark.parametrize(
    ("tokens", "rows", "expected"), [(0, 0, 0), (0, 8, 8), (96, 0, 8), (96, 4, 4), (400, 0, 0), (5, 0, 1)]
)
def test_a_token_bound_becomes_rows_by_the_longest_prompt_and_response(tokens: int, rows: int, expected: int) -> None:
    """32 responses in 2 minibatches; the longest prompt has 5 tokens, the longest response 7."""
    prompt_mask, mask = torch.zeros(32, 9, dtype=torch.bool), torch.zeros(32, 11, dtype=torch.bool)
    prompt_mask[:, 6:], mask[:, :2] = True, True
    prompt_mask[3, 4:], mask[20, :7] = True, True
    passes = InnerLoopSettings(1, 2, rows, 8, 1.0, tokens)
    batch: Any = SimpleNamespace(rollout=SimpleNamespace(prompt_mask=prompt_mask, mask=mask))
    assert passes.rows(batch) == expected
