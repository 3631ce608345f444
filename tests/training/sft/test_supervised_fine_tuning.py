"""Fine-tuning: it learns, it is the same twice and in pieces, and its rate ends at zero."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from tvo_cli.data.arithmetic import ArithmeticProblems, ArithmeticSettings
from tvo_cli.data.demonstration_sources import SolvedProblems
from tvo_cli.errors import UserError
from tvo_cli.model import Policy, load_policy
from tvo_cli.training.resume.recorded_settings import recorded_settings
from tvo_cli.training.run_data.demonstration_encoding import DemonstrationEncoder, EncodedSequence
from tvo_cli.training.run_data.demonstration_rows import DemonstrationLengthLimit, GeneratedRows, Rows, rows_of
from tvo_cli.training.sft import sft_checkpoint
from tvo_cli.training.sft.supervised_fine_tuning import (
    FineTuning,
    SFTSettings,
    loss_of_rows,
    mean_loss,
    sft_lr_multiplier,
    sft_microbatches,
)

PROMPT = {"template": "plain", "system": None, "suffix": ""}
NODE = {"path": "fresh", "revision": None, "dtype": "float32", "attention": "sdpa", "gradient_checkpointing": False}


def settings(**changes: Any) -> SFTSettings:
    numbers: dict[str, Any] = {
        "steps": 25, "rows": 16, "lr": 3e-3, "betas": (0.9, 0.98), "weight_decay": 0.01, "clip_norm": 1.0,
        "warm_up": 5, "decay": 0.4, "seed": 0,
    }  # fmt: skip
    return SFTSettings(**(numbers | changes))


def taught(policy: Policy, seed: int = 0) -> Rows:
    problems = ArithmeticProblems(ArithmeticSettings(), split="train", seed=seed)
    encoder = DemonstrationEncoder.of(policy, PROMPT)
    return rows_of(
        SolvedProblems("arithmetic", problems, seed), encoder, seed, DemonstrationLengthLimit(None, "", skip=False)
    )


def learn(**changes: Any) -> tuple[Policy, list[float]]:
    policy, chosen = load_policy(NODE, device="cpu"), settings(**changes)
    tuning = FineTuning.of(policy, taught(policy, chosen.seed), chosen)
    return policy, [update.loss for update in tuning.updates()]


@pytest.mark.slow
def test_it_learns_and_is_the_same_twice() -> None:
    first, losses = learn()
    again, repeated = learn()
    assert losses == repeated
    for one, other in zip(first.parameters(), again.parameters()):
        assert torch.equal(one, other)
    assert losses[0] > 3.0  # log 44 = 3.8 before training
    assert sum(losses[-3:]) / 3 < 0.75 * losses[0]
    assert not first.network.training


def test_the_teachers_seed_changes_what_is_learnt() -> None:
    assert learn(steps=2)[1] != learn(steps=2, seed=1)[1]


def test_the_rate_rises_stays_and_falls_to_zero() -> None:
    numbers = settings(steps=100, warm_up=10, decay=0.4)
    rates = [sft_lr_multiplier(numbers, step) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[9:60] == pytest.approx([1.0] * 51)
    assert rates[80] == pytest.approx(0.5)
    assert rates[99] == pytest.approx(0.025)


def test_the_loss_counts_response_tokens_and_the_end_token_only() -> None:
    policy = load_policy(NODE, device="cpu")
    problems, rows = ArithmeticProblems(ArithmeticSettings(), split="train", seed=0), taught(policy)
    by_hand = torch.zeros(())
    for number in range(2):
        row, words = rows.at(number), problems.teacher_solution(number, 0).split()
        names = policy.tokenizer.convert_ids_to_tokens(list(row.ids))
        asked = ["<s>", *problems.problem(number).question.split()]
        assert names == [*asked, *words, "</s>"]
        assert list(row.learned) == [False] * len(asked) + [True] * (len(words) + 1)
        logits, ids = policy.network(torch.tensor([row.ids])).logits[0], torch.tensor(row.ids)
        lost = torch.nn.functional.cross_entropy(logits[:-1], ids[1:], reduction="none")
        by_hand = by_hand + lost[len(asked) - 1 :].sum()
    torch.testing.assert_close(loss_of_rows(policy, [rows.at(0), rows.at(1)], packed=False), by_hand)


def test_micro_batches_change_nothing_but_rounding() -> None:
    whole, parts = learn(steps=3), learn(steps=3, microbatch_tokens=64)
    assert whole[1] == pytest.approx(parts[1], rel=1e-5)
    for one, other in zip(whole[0].parameters(), parts[0].parameters()):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=2e-4)


def row(length: int) -> EncodedSequence:
    return EncodedSequence(str(length), (1,) * length, (False,) + (True,) * (length - 1))


@pytest.mark.parametrize(
    ("most", "packed", "parts"),
    [
        (0, False, [[4, 2, 6, 20]]),
        (12, False, [[4, 2], [6], [20]]),
        (12, True, [[4, 2, 6], [20]]),
        (1, True, [[4], [2], [6], [20]]),
    ],
)
def test_a_micro_batch_holds_so_many_positions_and_never_less_than_a_row(
    most: int, packed: bool, parts: Sequence[Sequence[int]]
) -> None:
    found = sft_microbatches([row(length) for length in (4, 2, 6, 20)], most, packed=packed)
    assert [[len(one.ids) for one in part] for part in found] == parts


def test_the_held_out_loss_is_a_mean_over_tokens() -> None:
    policy = load_policy(NODE, device="cpu")
    rows = [taught(policy).at(number) for number in range(5)]
    tuning = FineTuning.of(policy, taught(policy), settings(microbatch_tokens=40))
    total = float(loss_of_rows(policy, rows, packed=False).detach())
    found = mean_loss(policy, rows, tuning.settings, tuning.autocast)
    assert found == pytest.approx(total / sum(sum(one.learned) for one in rows), rel=1e-5)
    assert math.isnan(mean_loss(policy, [], tuning.settings, tuning.autocast))


def test_an_update_that_is_not_finite_changes_nothing_and_names_the_rate() -> None:
    policy = load_policy(NODE, device="cpu")
    tuning = FineTuning.of(policy, taught(policy), settings())
    first = next(policy.parameters())
    with torch.no_grad():
        first[0, 0] = math.nan
    held = [parameter.clone() for parameter in policy.parameters()]
    rows = tuning.rows
    assert isinstance(rows, GeneratedRows)
    with torch.no_grad():
        first[:] = math.nan
        held[0] = first.clone()
    with pytest.raises(UserError, match=r"^lr=0.003: the gradient of update 1 is not finite"):
        next(tuning.updates())
    for before, after in zip(held, policy.parameters()):
        assert torch.equal(before.nan_to_num(7), after.nan_to_num(7))


def test_what_an_earlier_fine_tuning_wrote_of_itself_is_not_taken_for_this_ones(tmp_path: Path) -> None:
    """Its states were removed by hand, or a kill came between."""
    resume = SimpleNamespace(mode="auto", allow=[])
    (tmp_path / sft_checkpoint.DONE).write_text('{"steps": 10}')
    sft_checkpoint.begin(tmp_path, resume, {"lr": 2.0}, 3)
    assert sft_checkpoint.finished_record(tmp_path, resume) is None


def test_an_allowed_setting_is_recorded_with_the_first_state_under_it(tmp_path: Path) -> None:
    policy, resume = load_policy(NODE, device="cpu"), SimpleNamespace(mode="auto", allow=["lr"])
    tuning, root = FineTuning.of(policy, taught(policy), settings(steps=2)), tmp_path / sft_checkpoint.RESUME
    found = []
    for rate in (1.0, 2.0, 3.0):
        sft_checkpoint.begin(tmp_path, resume, {"lr": rate}, 3)
        found.append(recorded_settings(root)["lr"])
        if rate != 2.0:  # which ends before it has a state
            sft_checkpoint.save_fine_tuning(tuning, tmp_path, {})
            found.append(recorded_settings(root)["lr"])
    assert found == [1.0, 1.0, 1.0, 1.0, 3.0]
