"""Fine-tuning: it learns, it is the same twice, and its rate ends at zero."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from tvo_cli.data.arithmetic import ArithmeticProblems, ArithmeticSettings
from tvo_cli.errors import UserError
from tvo_cli.model import Policy, load_policy
from tvo_cli.training import supervised_fine_tuning

PROMPT = {"template": "plain", "system": None, "suffix": ""}
NODE = {"path": "fresh", "revision": None, "dtype": "float32", "attention": "sdpa", "gradient_checkpointing": False}


def schooling(**changes: Any) -> supervised_fine_tuning.SFTSettings:
    numbers: dict[str, Any] = {
        "steps": 25, "rows": 16, "lr": 3e-3, "betas": (0.9, 0.98), "weight_decay": 0.01, "clip_norm": 1.0,
        "warm_up": 5, "decay": 0.4, "seed": 0,
    }  # fmt: skip
    return supervised_fine_tuning.SFTSettings(**(numbers | changes))


def learn(**changes: Any) -> tuple[Policy, list[float]]:
    policy = load_policy(NODE, device="cpu")
    losses: list[float] = []
    problems = ArithmeticProblems(ArithmeticSettings(), split="train", seed=0)
    supervised_fine_tuning.fine_tune(
        policy, problems, PROMPT, schooling(**changes), lambda step, loss: losses.append(loss)
    )
    return policy, losses


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
    numbers = schooling(steps=100, warm_up=10, decay=0.4)
    rates = [supervised_fine_tuning._lr_multiplier(numbers, step) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[9:60] == pytest.approx([1.0] * 51)
    assert rates[80] == pytest.approx(0.5)
    assert rates[99] == pytest.approx(0.025)


def test_the_loss_counts_response_tokens_and_the_end_token_only() -> None:
    policy = load_policy(NODE, device="cpu")
    problems = ArithmeticProblems(ArithmeticSettings(), split="train", seed=0)
    prompt_ids, prompt_mask, ids, mask = supervised_fine_tuning._encode_solutions(
        policy, problems, [0, 1], PROMPT, seed=0
    )
    for row in range(2):
        words = problems.teacher_solution(row, 0).split()
        assert policy.tokenizer.convert_ids_to_tokens(ids[row][mask[row]].tolist()) == [*words, "</s>"]
        asked = policy.tokenizer.convert_ids_to_tokens(prompt_ids[row][prompt_mask[row]].tolist())
        assert asked == ["<s>", *problems.problem(row).question.split()]
    logits = policy.network(torch.cat([prompt_ids, ids], 1)).logits[:, prompt_ids.shape[1] - 1 : -1]
    by_hand = torch.nn.functional.cross_entropy(logits[mask], ids[mask])
    torch.testing.assert_close(
        supervised_fine_tuning._solution_loss(policy, prompt_ids, prompt_mask, ids, mask), by_hand
    )


def test_the_record_holds_the_checksum_of_the_weights(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    facts = supervised_fine_tuning.write_sft_record(tmp_path, {"steps": 3})
    assert facts["sha256"] == hashlib.sha256(b"weights").hexdigest()
    assert json.loads((tmp_path / "sft.json").read_text()) == facts
    with pytest.raises(UserError, match="no weights"):
        supervised_fine_tuning.write_sft_record(tmp_path / "nowhere", {})
